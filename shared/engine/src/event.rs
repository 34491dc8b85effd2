//! The event log of a run, as it is kept. Inputs and results are not repeated in it: they stand once, beside
//! the events, in the same [`Page`](super::Page); `view` joins them for readers.

use serde::{Deserialize, Serialize};

use super::failure::FailureCode;
use super::slot::Slot;
use super::status::{RunStatus, SkipReason, TriggerType};
use types::clock::{self, Timestamp};
use types::ids::RunId;
use workflow::StepIx;

/// Something that happened to a run. `seq` increases strictly, from 1, without gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The place in the run's history.
    pub seq: u64,
    /// When.
    #[serde(with = "clock::millis")]
    pub at: Timestamp,
    /// The step it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<Slot>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}
/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The run was accepted.
    RunStarted {
        /// What started it.
        trigger_type: TriggerType,
        /// The version it executes.
        version: u32,
        /// The run whose settled steps it goes on from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resumed_from: Option<RunId>,
    },
    /// The run's status changed.
    StateChanged {
        /// Before.
        from: RunStatus,
        /// After.
        to: RunStatus,
        /// Why, in a word.
        reason: String,
        /// The keys of the input that were replaced with it, of a retry.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        input_keys: Vec<String>,
    },
    /// An attempt at a step began. The same attempt begins again when the worker that ran it died.
    StepStarted {
        /// Counted from 1.
        attempt: u32,
    },
    /// The step has its result.
    StepCompleted {
        /// Of the attempt that succeeded.
        duration_ms: u64,
    },
    /// The step's result was taken over from the run that this one goes on from.
    StepReused,
    /// The step was skipped.
    StepSkipped {
        /// Why.
        reason: SkipReason,
    },
    /// An attempt failed.
    StepFailed {
        /// Counted from 1.
        attempt: u32,
        /// Why.
        code: FailureCode,
        /// A sentence for a person.
        error: String,
        /// How long until the next attempt; none when there is no further one.
        retry_in_ms: Option<u64>,
    },
    /// The step was under way when the run ended.
    StepCancelled {
        /// The step whose failure ended the run.
        caused_by: Option<StepIx>,
        /// Somebody stopped the run; else it failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stopped: bool,
    },
    /// A person is asked.
    HumanTaskCreated {
        /// When the answer is no longer waited for.
        expires_at: Option<Timestamp>,
    },
    /// A person has answered, or the time is up.
    HumanTaskCompleted {
        /// The answer.
        approved: bool,
        /// Who answered; none when the time was up.
        completed_by: Option<String>,
        /// What they noted.
        notes: Option<String>,
    },
    /// A round of a loop is over.
    IterationCompleted {
        /// The item or the iteration, from 0.
        index: u32,
        /// Whether it failed.
        failed: bool,
    },
    /// What a script printed.
    StepLog {
        /// Line by line.
        lines: Vec<String>,
    },
}

impl EventKind {
    /// Roughly how many bytes the event takes, so that a page can be closed before it grows too large.
    pub(super) fn weight(&self) -> usize {
        const FRAME: usize = 120;
        FRAME
            + match self {
                Self::StepFailed { error, .. } => error.len(),
                Self::StepLog { lines } => lines.iter().map(|line| line.len() + 3).sum(),
                Self::StateChanged { input_keys, .. } => input_keys.iter().map(|key| key.len() + 3).sum(),
                Self::HumanTaskCompleted { notes, .. } => notes.as_ref().map_or(0, String::len),
                Self::RunStarted { .. }
                | Self::StepStarted { .. }
                | Self::StepCompleted { .. }
                | Self::StepReused
                | Self::StepSkipped { .. }
                | Self::StepCancelled { .. }
                | Self::HumanTaskCreated { .. }
                | Self::IterationCompleted { .. } => 0,
            }
    }
}
