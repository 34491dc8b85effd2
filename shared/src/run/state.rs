//! A run's state: everything that decides what may happen next, and nothing else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event::SkipReason;
use super::failure::{Failure, FailureCode};
use crate::clock::{self, Timestamp};
use crate::ids::{RunRef, WorkflowId};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted, not yet begun.
    Pending,
    /// Steps start as they become ready.
    Running,
    /// Every step is settled. Final.
    Completed,
    /// A step failed, or the run stalled. Final.
    Failed,
}

impl RunStatus {
    /// Every status, for lists of what is allowed.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Completed, Self::Failed];

    /// The status as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The status written as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed => true,
            Self::Pending | Self::Running => false,
        }
    }
}

/// What started a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerType {
    /// A call of the API.
    #[default]
    Api,
    /// A person.
    Manual,
    /// A schedule.
    Schedule,
    /// A webhook.
    Webhook,
    /// An MCP client.
    Mcp,
}

impl TriggerType {
    /// The type as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Webhook => "webhook",
            Self::Mcp => "mcp",
        }
    }
}

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
            Self::Running { .. } => "running",
            Self::Completed { .. } => "completed",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether the step is over.
    pub const fn is_settled(&self) -> bool {
        match self {
            Self::Pending | Self::Queued { .. } | Self::Running { .. } => false,
            Self::Completed { .. } | Self::Skipped { .. } | Self::Failed { .. } | Self::Cancelled { .. } => {
                true
            }
        }
    }
}

/// What a run was started with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInput {
    /// `{{input.*}}`.
    pub input: Value,
    /// Laid over the input for one step, by step id.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub trigger_steps: Map<String, Value>,
}

impl RunInput {
    /// The input as one step sees it.
    pub fn for_step(&self, step_id: &str) -> Value {
        let mut input = self.input.clone();
        if let (Some(Value::Object(overlay)), Value::Object(base)) =
            (self.trigger_steps.get(step_id), &mut input)
        {
            base.extend(overlay.clone());
        }
        input
    }
}

/// What a run is made from.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its name and place.
    pub key: RunRef,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The published version it executes.
    pub version: u32,
    /// What started it.
    pub trigger_type: TriggerType,
    /// The caller's own name for whoever it is for.
    pub external_user_id: Option<String>,
    /// Steps that begin although they are `no_auto_start`.
    pub granted: Vec<String>,
    /// Roots to leave out.
    pub excluded: Vec<String>,
}

/// What a run has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// Attempts that succeeded.
    pub steps_executed: u64,
    /// What they were charged.
    pub credits_used_microcredits: u64,
    /// Tokens sent to models.
    pub tokens_in: u64,
    /// Tokens that models wrote.
    pub tokens_out: u64,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name and place.
    pub key: RunRef,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The published version it executes.
    pub version: u32,
    /// What started it.
    pub trigger_type: TriggerType,
    /// The caller's own name for whoever it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_user_id: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was accepted.
    #[serde(with = "clock::millis")]
    pub started_at: Timestamp,
    /// When it reached a terminal state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When something last changed.
    #[serde(with = "clock::millis")]
    pub progress_at: Timestamp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What it has used.
    #[serde(default)]
    pub usage: Usage,
    /// By the step's place in the graph, which never changes for a published version.
    pub steps: Vec<StepState>,
}
