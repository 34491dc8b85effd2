//! The rounds of a loop as the run's state knows them: which are open and where each of them stands. What the
//! rounds made stands in the history's pages, so that the state stays small however long the loop is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::failure::FailureCode;
use super::state::StepState;
use types::clock::Timestamp;

/// The rounds of one attempt of a `for_each` (its items) or a `while` (its iterations).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loop {
    /// How many items there are, or how many iterations there may be.
    pub total: u32,
    /// The next round to open; all before it are open or over.
    pub next: u32,
    /// Rounds under way, and those that may begin.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<u32, Round>,
    /// Rounds that came to their end.
    pub succeeded: u32,
    /// Rounds that failed and are not tried again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed: BTreeSet<u32>,
    /// A `while`'s condition says that it is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub condition_met: bool,
    /// Which places of the body had an output in the latest round that is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_before: Vec<u16>,
    /// How many bytes of outputs there are: all of them become the loop's result.
    pub bytes: usize,
}

/// A round that is not over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// When its first inner step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// The inner step that it has come to; the body's length stands for a `while`'s condition.
    pub place: u16,
    /// Where that stands; never settled.
    pub state: StepState,
    /// Which places of the body have an output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<u16>,
    /// Which of these failed and let the round go on: their output is why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<u16>,
    /// Attempts at this place before somebody had it tried again: their numbers go on, their counts do not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts_before: u32,
    /// Failed, and somebody or something decides whether it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// Why a round is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The reason.
    pub code: FailureCode,
    /// A sentence for a person, cut where it is long.
    pub error: String,
}

impl Loop {
    /// A loop of so many rounds, none of them open.
    pub fn of(total: u32) -> Self {
        Self { total, ..Self::default() }
    }

    /// Whether no round is left to do, so that the loop's result can be put together.
    pub fn is_over(&self) -> bool {
        self.open.is_empty() && (self.next >= self.total || self.condition_met)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A map as a list of pairs: inside a tagged enum, JSON's text keys cannot be read back as numbers.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Round;

    pub(super) fn serialize<S: Serializer>(
        open: &BTreeMap<u32, Round>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        open.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<u32, Round>, D::Error> {
        Vec::<(u32, Round)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}
