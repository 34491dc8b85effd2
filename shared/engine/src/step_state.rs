//! Where a step stands, and the rounds of a loop as the run's state knows them: which are open and where each of them
//! stands. What the rounds made stands in the history's pages, so that the state stays small however long the loop is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::failure::FailureCode;
use super::status::SkipReason;
use types::clock::{self, Timestamp};
use types::ids::RunId;

/// The right to work on a step until a point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The session that holds it; no two sessions share a name.
    pub owner: String,
    /// From when on another worker may take the step over.
    #[serde(with = "clock::millis")]
    pub until: Timestamp,
}

/// Where a step stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "s", rename_all = "snake_case")]
pub enum StepState {
    /// Waits for the steps it depends on, or is ready and nobody has taken it.
    #[default]
    Pending,
    /// Waits for its next attempt.
    Queued {
        /// The attempt to come.
        attempt: u32,
        /// Not before this time.
        #[serde(with = "clock::millis")]
        not_before: Timestamp,
        /// How often a worker died on this attempt.
        lost: u32,
    },
    /// A worker is on it.
    Running {
        /// Counted from 1.
        attempt: u32,
        /// When the attempt began.
        #[serde(with = "clock::millis")]
        started_at: Timestamp,
        /// Whose it is.
        lease: Lease,
        /// How often a worker died on this attempt.
        lost: u32,
    },
    /// Waits for somebody or something outside the run; no worker is on it.
    Waiting {
        /// Counted from 1.
        attempt: u32,
        /// When the attempt began.
        #[serde(with = "clock::millis")]
        started_at: Timestamp,
        /// When it has waited long enough.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// For what.
        on: Wait,
    },
    /// A loop whose rounds are under way.
    Looping {
        /// Counted from 1.
        attempt: u32,
        /// When the attempt began.
        #[serde(with = "clock::millis")]
        started_at: Timestamp,
        /// When all rounds must be over.
        #[serde(with = "clock::millis")]
        until: Timestamp,
        /// The rounds.
        rounds: Box<Loop>,
    },
    /// Has its result.
    Completed {
        /// The attempt that succeeded.
        attempt: u32,
        /// When it began.
        #[serde(with = "clock::millis")]
        started_at: Timestamp,
        /// When it ended.
        #[serde(with = "clock::millis")]
        ended_at: Timestamp,
        /// A person said no: dependants without a condition are skipped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rejected: bool,
    },
    /// Was not executed, and its dependants go on.
    Skipped {
        /// Why.
        reason: SkipReason,
        /// When.
        #[serde(with = "clock::millis")]
        at: Timestamp,
    },
    /// Failed for good.
    Failed {
        /// The last attempt.
        attempt: u32,
        /// When that began.
        #[serde(with = "clock::millis")]
        started_at: Timestamp,
        /// When it ended.
        #[serde(with = "clock::millis")]
        ended_at: Timestamp,
        /// Why.
        code: FailureCode,
        /// A sentence for a person.
        error: String,
    },
    /// Was under way when the run ended.
    Cancelled {
        /// The attempt that was under way.
        attempt: u32,
        /// When that began.
        #[serde(with = "clock::millis")]
        started_at: Timestamp,
        /// When it was cancelled.
        #[serde(with = "clock::millis")]
        at: Timestamp,
    },
}

impl StepState {
    /// The status as readers see it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued { .. } => "queued",
            Self::Running { .. } | Self::Looping { .. } => "running",
            Self::Waiting { .. } => "waiting",
            Self::Completed { .. } => "completed",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The latest attempt; none before the first.
    pub const fn attempt(&self) -> Option<u32> {
        match self {
            Self::Pending | Self::Skipped { .. } => None,
            Self::Queued { attempt, .. }
            | Self::Running { attempt, .. }
            | Self::Waiting { attempt, .. }
            | Self::Looping { attempt, .. }
            | Self::Completed { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::Cancelled { attempt, .. } => Some(*attempt),
        }
    }

    /// Whether the step is over.
    pub const fn is_settled(&self) -> bool {
        match self {
            Self::Pending
            | Self::Queued { .. }
            | Self::Running { .. }
            | Self::Waiting { .. }
            | Self::Looping { .. } => false,
            Self::Completed { .. } | Self::Skipped { .. } | Self::Failed { .. } | Self::Cancelled { .. } => {
                true
            }
        }
    }
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// A person.
    Person,
    /// A run of another workflow.
    Child(RunId),
}

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
