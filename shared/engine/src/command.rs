//! What may be done to a run, and why it is refused.

use std::time::Duration;

use serde_json::{Map, Value};

use super::failure::{FailureCode, too_large};
use super::slot::Slot;
use super::status::RunStatus;
use super::status::SkipReason;
use super::step_state::Wait;
use types::clock::Timestamp;
use types::ids::RunId;
use types::json_text::JsonText;
use types::tokens::Tokens;
use workflow::StepIx;

/// What may be done to a run.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take a ready step, or renew one's own claim on it.
    Begin {
        /// The step.
        slot: Slot,
        /// The session that takes it.
        owner: String,
        /// The fields it is called with, after expansion; none when it has no such fields.
        input: Option<JsonText>,
    },
    /// Begin a loop that is ready.
    Open {
        /// The loop.
        step: StepIx,
        /// How many items it has, or how many iterations it may have.
        rounds: u32,
        /// The fields it is called with, after expansion.
        input: JsonText,
    },
    /// Begin a step that waits for somebody or something outside the run.
    Await {
        /// The step.
        slot: Slot,
        /// For what.
        on: Wait,
        /// The fields it is called with, after expansion.
        input: JsonText,
    },
    /// Settle a ready step without executing it.
    Skip {
        /// The step.
        slot: Slot,
        /// Why.
        reason: SkipReason,
    },
    /// Say how an attempt ended.
    Settle {
        /// The step.
        slot: Slot,
        /// The session that holds it.
        owner: String,
        /// How it ended.
        outcome: Outcome,
        /// What the step printed.
        log: Vec<String>,
        /// What it cost at models, whether it succeeded or not.
        tokens: Tokens,
    },
    /// Settle a loop whose rounds are over.
    Close {
        /// The loop.
        step: StepIx,
        /// What came of it.
        outcome: Outcome,
    },
    /// Answer a human task: a step that waits for a person, or the review of a failed item.
    Answer {
        /// The step, or the place in the loop.
        slot: Slot,
        /// The answer.
        answer: Answer,
    },
    /// Say how the child run ended that a step waits for.
    ChildEnded {
        /// The step.
        slot: Slot,
        /// The child.
        child: RunId,
        /// What came of it.
        outcome: Outcome,
    },
    /// Start nothing new until resumed.
    Pause,
    /// Go on.
    Resume,
    /// End the run.
    Stop(StopMode),
    /// Go on from where a failed or stopped run ended.
    Retry {
        /// Execute this step, and all that depends on it, anew.
        from: Option<StepIx>,
        /// Whoever asks may not have tools called.
        without_mcp: bool,
        /// The keys of the input that are replaced with it.
        input_keys: Vec<String>,
    },
    /// Say that these child runs are stopped or over.
    Disown {
        /// The children.
        children: Vec<RunId>,
    },
    /// Say that there are no credits for another step.
    RunDry,
    /// Say that what could be begun was tried, and could not be: a run that has stood still for too long fails.
    GiveUp,
    /// Give up claims whose lease is over, and whatever else has waited long enough.
    Reap {
        /// Leases of attempts that began earlier are over whatever they say: their workers are known to be
        /// dead. The local process sets it to its own start.
        dead_before: Option<Timestamp>,
        /// These were told to end, so that nothing is to be found out about the run.
        in_order: bool,
    },
    /// Be alone with the run in a process, before anything of it is done there: it was under way in one that died.
    Isolate {
        /// The session.
        owner: String,
        /// Its process.
        process: String,
        /// Until when others keep off.
        until: Timestamp,
    },
    /// Say that the run was alone for long enough, and the process lives.
    Rejoin {
        /// The session.
        owner: String,
    },
    /// Hold it against the run when a process died that was alone with it.
    Recover {
        /// The process that looks, which lives.
        process: String,
        /// As for [`Command::Reap`].
        dead_before: Option<Timestamp>,
        /// As for [`Command::Reap`].
        in_order: bool,
    },
}

/// How a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// At once: what is under way is cancelled.
    #[default]
    Immediate,
    /// When what is under way has finished, at most 15 minutes later.
    Graceful,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With a result, and the length of its JSON.
    Success {
        /// The result.
        result: JsonText,
        /// Its length as JSON.
        bytes: usize,
    },
    /// With a failure.
    Failure(StepFailure),
}

/// A failed attempt.
#[derive(Debug, Clone)]
pub struct StepFailure {
    /// Why.
    pub code: FailureCode,
    /// A sentence for a person.
    pub error: String,
    /// Whether another attempt may pass.
    pub may_pass: bool,
    /// Between 0 and 1: which part of the backoff to wait.
    pub jitter: f64,
    /// What the other side asked us to wait.
    pub retry_after: Option<Duration>,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Yes or no. Of a review: try again, or leave the item out.
    pub approved: bool,
    /// More, for the step's result.
    pub result: Map<String, Value>,
    /// For the history.
    pub notes: Option<String>,
    /// Who answered; none when nobody did in time.
    pub completed_by: Option<String>,
}

impl Outcome {
    /// A result.
    pub fn success(result: impl Into<JsonText>) -> Self {
        let result = result.into();
        Self::Success { bytes: result.bytes(), result }
    }

    /// A failure whose code says whether another attempt may pass; that one waits the whole backoff.
    pub fn failure(code: FailureCode, error: impl Into<String>) -> Self {
        Self::Failure(StepFailure::new(code, error))
    }

    /// The failure of a result over the limit: what takes how many bytes, and what to do about it.
    pub fn too_large(what: &str, mend: &str) -> Self {
        Self::failure(FailureCode::ResultTooLarge, too_large(what, mend))
    }
}

impl StepFailure {
    /// A failure whose code says whether another attempt may pass; that one waits the whole backoff.
    pub fn new(code: FailureCode, error: impl Into<String>) -> Self {
        let may_pass = code.is_transient();
        Self { code, error: error.into(), may_pass, jitter: 1.0, retry_after: None }
    }
}

/// Why a command changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The run's status does not allow it.
    Status(RunStatus),
    /// The step is not ready, or somebody else has it.
    NotYours,
    /// The step to retry from has not been reached yet.
    NotReached,
    /// It was made for a run that somebody has changed meanwhile.
    Overtaken,
}
