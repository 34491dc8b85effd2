//! Why steps and runs fail: the codes of the contract.

use serde::{Deserialize, Serialize};

use workflow::limits::RESULT_MAX_BYTES;

/// A machine-readable reason; the names are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    /// A template expression led nowhere.
    TemplateUnresolved,
    /// A script raised an error or does not compile.
    LuaError,
    /// A script ran longer than its step's timeout.
    LuaTimeout,
    /// A script wanted more memory than a script may have.
    LuaMemory,
    /// What a step reads takes too much memory.
    StepInputTooLarge,
    /// A script returned something that is not a table, or a table that JSON cannot hold.
    LuaReturnType,
    /// A tool of an MCP server failed, or could not be called.
    McpToolFailed,
    /// A model did not answer, or not as it was asked to.
    LlmRequestFailed,
    /// The workspace had no credits left for the next step.
    InsufficientCredits,
    /// A result is larger than 1 MiB of JSON.
    ResultTooLarge,
    /// A step's attempt did not end in its time.
    StepTimeout,
    /// The process died again and again while the run was alone in it.
    WorkerLost,
    /// Nobody answered a human task in time, or it could not be put to anybody.
    HumanTaskFailed,
    /// A run that a step called could not be started, failed or was stopped.
    ChildRunFailed,
    /// The run and those that it called, and they in turn, have started as many runs as they may.
    DescendantLimitReached,
    /// An item of a `for_each` failed.
    ForEachFailed,
    /// What the step is to call with is not there: no connection, no key.
    ConnectionUnavailable,
    /// Something the step needs does not answer.
    DependencyUnavailable,
    /// The run made no progress for longer than its longest allowed wait.
    RunStalledOrTimedOut,
    /// What was under way did not finish in the time that a graceful stop allows.
    DrainTimeout,
    /// Somebody stopped the run.
    RunStopped,
}

impl FailureCode {
    /// The code as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TemplateUnresolved => "TEMPLATE_UNRESOLVED",
            Self::LuaError => "LUA_ERROR",
            Self::LuaTimeout => "LUA_TIMEOUT",
            Self::LuaMemory => "LUA_MEMORY",
            Self::StepInputTooLarge => "STEP_INPUT_TOO_LARGE",
            Self::LuaReturnType => "LUA_RETURN_TYPE",
            Self::McpToolFailed => "MCP_TOOL_FAILED",
            Self::LlmRequestFailed => "LLM_REQUEST_FAILED",
            Self::InsufficientCredits => "INSUFFICIENT_CREDITS",
            Self::ResultTooLarge => "RESULT_TOO_LARGE",
            Self::StepTimeout => "STEP_TIMEOUT",
            Self::WorkerLost => "WORKER_LOST",
            Self::HumanTaskFailed => "HUMAN_TASK_FAILED",
            Self::ChildRunFailed => "CHILD_RUN_FAILED",
            Self::DescendantLimitReached => "DESCENDANT_LIMIT_REACHED",
            Self::ForEachFailed => "FOR_EACH_FAILED",
            Self::ConnectionUnavailable => "CONNECTION_UNAVAILABLE",
            Self::DependencyUnavailable => "DEPENDENCY_UNAVAILABLE",
            Self::RunStalledOrTimedOut => "RUN_STALLED_OR_TIMED_OUT",
            Self::DrainTimeout => "DRAIN_TIMEOUT",
            Self::RunStopped => "RUN_STOPPED",
        }
    }

    /// Whether another attempt may pass, when the failure itself does not say. Scripts are deterministic, so only
    /// running out of time, which also depends on how busy the machine is, is worth another try. Calls of the
    /// outside know by what they met.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::LuaTimeout | Self::StepTimeout | Self::DependencyUnavailable => true,
            Self::TemplateUnresolved
            | Self::LuaError
            | Self::LuaMemory
            | Self::StepInputTooLarge
            | Self::LuaReturnType
            | Self::McpToolFailed
            | Self::LlmRequestFailed
            | Self::ConnectionUnavailable
            | Self::InsufficientCredits
            | Self::ResultTooLarge
            | Self::HumanTaskFailed
            | Self::ChildRunFailed
            | Self::DescendantLimitReached
            | Self::ForEachFailed
            | Self::RunStalledOrTimedOut
            | Self::WorkerLost
            | Self::DrainTimeout
            | Self::RunStopped => false,
        }
    }
}

/// What to do about a loop whose result is over the limit.
pub const LOOP_TOO_LARGE: &str = "The output of every inner step counts: let each return only what is read later, such as \
    ids and counts, store the rest by a tool, or call a workflow (workflow_call with output_from) for each item or for each \
    part of the items.";

/// Says that a result is over the limit, how far, and what to do about it.
pub(super) fn too_large(what: &str, mend: &str) -> String {
    format!("{what}; at most {RESULT_MAX_BYTES} (1 MiB) are allowed. {mend}")
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The reason.
    pub code: FailureCode,
    /// The step that failed, when it was one.
    pub step_id: Option<String>,
    /// A sentence for a person.
    pub error: String,
}
