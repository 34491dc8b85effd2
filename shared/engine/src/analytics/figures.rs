//! Counters by name, as they stand in the rows of a bucket: adding rows up is adding counters up.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use super::sketch::{self, Durations};
use crate::status::RunStatus;

/// The statuses in which a run may end.
pub const ENDS: [RunStatus; 3] = [RunStatus::Completed, RunStatus::Failed, RunStatus::Stopped];

/// Counters of a bucket, or of several. Their names are those of the attributes of its rows:
/// `completed`, `failed`, `stopped`: runs by how they ended; `ms`, `d<bin>`: how long they took, as a sum and by bins of
/// a sketch; `steps`, `credits`, `in`, `out`: executed steps, microcredits, tokens; `<step type>.n`, `.in`, `.out`,
/// `.d<bin>`: the same of steps of this type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures(BTreeMap<String, i64>);

impl Figures {
    /// Counters and their values.
    pub fn counters(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Adds to a counter.
    pub fn add(&mut self, name: impl Into<String>, value: i64) {
        if value != 0 {
            *self.0.entry(name.into()).or_default() += value;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|value| *value == 0)
    }

    /// A run that ended so, `times` 1; or one that was counted and goes on, `times` −1.
    pub(super) fn add_run(&mut self, status: RunStatus, took: Duration, times: i64) {
        self.add(status.as_str(), times);
        self.add("ms", times.saturating_mul(signed(took.as_millis())));
        self.add(format!("d{}", sketch::bin(took)), times);
    }

    fn get(&self, name: &str) -> u64 {
        self.0.get(name).and_then(|value| u64::try_from(*value).ok()).unwrap_or(0)
    }

    /// Runs that ended so.
    pub fn runs(&self, status: RunStatus) -> u64 {
        self.get(status.as_str())
    }

    /// Runs that ended.
    pub fn finished(&self) -> u64 {
        ENDS.iter().map(|status| self.runs(*status)).sum()
    }

    /// How long the runs took together, in milliseconds.
    pub fn run_millis(&self) -> u64 {
        self.get("ms")
    }

    /// How long runs took.
    pub fn run_durations(&self) -> Durations {
        self.durations("d")
    }

    pub fn steps_executed(&self) -> u64 {
        self.get("steps")
    }

    pub fn microcredits(&self) -> u64 {
        self.get("credits")
    }

    pub fn tokens(&self) -> (u64, u64) {
        (self.get("in"), self.get("out"))
    }

    /// The types of the steps that were executed or that used tokens.
    pub fn step_types(&self) -> Vec<&str> {
        let mut types: Vec<&str> = self.0.keys().filter_map(|name| Some(name.split_once('.')?.0)).collect();
        types.dedup();
        types
    }

    /// Executed steps of a type, and their tokens in and out.
    pub fn of_type(&self, step_type: &str) -> (u64, u64, u64) {
        let get = |what: &str| self.get(&format!("{step_type}.{what}"));
        (get("n"), get("in"), get("out"))
    }

    /// How long executed steps of a type took.
    pub fn step_durations(&self, step_type: &str) -> Durations {
        self.durations(&format!("{step_type}.d"))
    }

    fn durations(&self, prefix: &str) -> Durations {
        let bin = |(name, count): (&String, &i64)| Some((name.strip_prefix(prefix)?.parse().ok()?, *count));
        Durations::of(self.0.iter().filter_map(bin))
    }
}

impl AddAssign<&Self> for Figures {
    fn add_assign(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            self.add(name.as_str(), *value);
        }
    }
}

impl FromIterator<(String, i64)> for Figures {
    fn from_iter<T: IntoIterator<Item = (String, i64)>>(counters: T) -> Self {
        let mut figures = Self::default();
        for (name, value) in counters {
            figures.add(name, value);
        }
        figures
    }
}

/// A count as the store keeps it.
pub(super) fn signed(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
