//! What of a run the counters know, and what they do not know yet. Pure: state in, differences out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::figures::{ENDS, Figures, signed};
use super::sketch;
use crate::status::{RunStatus, Usage};
use types::clock::{self, Timestamp};
use types::tokens::Tokens;

/// The most bins that one run adds to: DynamoDB takes expressions of 4 KB. A run that spreads further counts its
/// shortest steps as a little longer.
const MOST_BINS: usize = 200;

/// The part of a run's state that remembers how it is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// What was executed since it was last counted, by step type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    steps: BTreeMap<String, Steps>,
    /// What of its usage is counted.
    #[serde(default, skip_serializing_if = "is_none_used")]
    usage: Usage,
    /// The status as which it is counted among the live runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<RunStatus>,
    /// How it is counted among those that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

/// Executed steps of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Steps {
    #[serde(default, rename = "n", skip_serializing_if = "is_zero")]
    count: u64,
    #[serde(default, rename = "in", skip_serializing_if = "is_zero")]
    tokens_in: u64,
    #[serde(default, rename = "out", skip_serializing_if = "is_zero")]
    tokens_out: u64,
    /// How long they took, by bins of a sketch.
    #[serde(default, rename = "d", skip_serializing_if = "BTreeMap::is_empty")]
    durations: BTreeMap<i16, u64>,
}

/// The end of a run, as far as counters know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    status: RunStatus,
    #[serde(with = "clock::millis")]
    at: Timestamp,
    took_ms: u64,
}

/// What is to be added to the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live runs by status.
    pub live: BTreeMap<&'static str, i64>,
    /// By the time whose buckets they belong to. Two only when a retried run ends at once.
    pub figures: Vec<(Timestamp, Figures)>,
}

/// What of a run is counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Where it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
    /// What it has used.
    pub usage: Usage,
}

impl Tally {
    /// A step of this type was executed.
    pub fn executed(&mut self, step_type: &str, took: Duration) {
        let steps = self.of(step_type);
        steps.count += 1;
        *steps.durations.entry(sketch::bin(took)).or_default() += 1;
    }

    /// An attempt at a step of this type has used so many tokens, whether it succeeded or not.
    pub fn tokens(&mut self, step_type: &str, tokens: Tokens) {
        let steps = self.of(step_type);
        steps.tokens_in += tokens.tokens_in;
        steps.tokens_out += tokens.tokens_out;
    }

    fn of(&mut self, step_type: &str) -> &mut Steps {
        self.steps.entry(step_type.to_owned()).or_default()
    }

    /// What the counters do not know of a run that stands so, and whose tally knows it from now on; none when there is
    /// nothing, or when what there is can wait until the run ends.
    pub fn count(&mut self, run: Counted) -> Option<Counts> {
        let mut counts = Counts::default();
        let live = (!run.status.is_terminal()).then_some(run.status);
        if live != self.live {
            for (status, times) in [(self.live, -1), (live, 1)] {
                if let Some(status) = status {
                    *counts.live.entry(status.as_str()).or_default() += times;
                }
            }
            self.live = live;
        }
        let ended = Ended::of(run);
        if ended != self.ended {
            if let Some(Ended { status, at, took_ms }) = self.ended {
                // It was retried: it will count as what it ends as at last.
                counts.at(at).add_run(status, Duration::from_millis(took_ms), -1);
            }
            if let Some(Ended { status, at, took_ms }) = ended {
                let figures = counts.at(at);
                figures.add_run(status, Duration::from_millis(took_ms), 1);
                self.add_work(run.usage, figures);
            }
            self.ended = ended;
        }
        counts.figures.retain(|(_, figures)| !figures.is_empty());
        (!counts.live.is_empty() || !counts.figures.is_empty()).then_some(counts)
    }

    /// Adds what was executed since the last time.
    fn add_work(&mut self, usage: Usage, figures: &mut Figures) {
        let before = std::mem::replace(&mut self.usage, usage);
        for (name, now, before) in [
            ("steps", usage.steps_executed, before.steps_executed),
            ("credits", usage.credits_used_microcredits, before.credits_used_microcredits),
            ("in", usage.tokens_in, before.tokens_in),
            ("out", usage.tokens_out, before.tokens_out),
        ] {
            figures.add(name, signed(now.saturating_sub(before)));
        }
        let steps = std::mem::take(&mut self.steps);
        let most = MOST_BINS / steps.len().max(1);
        for (step_type, mut steps) in steps {
            for (what, count) in [("n", steps.count), ("in", steps.tokens_in), ("out", steps.tokens_out)] {
                figures.add(format!("{step_type}.{what}"), signed(count));
            }
            while steps.durations.len() > most
                && let Some((_, count)) = steps.durations.pop_first()
                && let Some(mut next) = steps.durations.first_entry()
            {
                *next.get_mut() += count;
            }
            for (bin, count) in steps.durations {
                figures.add(format!("{step_type}.d{bin}"), signed(count));
            }
        }
    }
}

impl Ended {
    fn of(run: Counted) -> Option<Self> {
        let at = run.ended_at.filter(|_| ENDS.contains(&run.status))?;
        let took = at.since(run.started_at).as_millis();
        Some(Self { status: run.status, at, took_ms: u64::try_from(took).unwrap_or(u64::MAX) })
    }
}

impl Counts {
    /// Whether a run has ended with them.
    pub fn has_ended(&self) -> bool {
        self.figures.iter().any(|(_, figures)| figures.finished() > 0)
    }

    fn at(&mut self, at: Timestamp) -> &mut Figures {
        let place = self.figures.iter().position(|(other, _)| *other == at).unwrap_or(self.figures.len());
        if place == self.figures.len() {
            self.figures.push((at, Figures::default()));
        }
        &mut self.figures[place].1
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_none_used(usage: &Usage) -> bool {
    *usage == Usage::default()
}

#[cfg(test)]
mod tests;
