//! A run's state: everything that decides what may happen next, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event::SkipReason;
use super::failure::{Failure, FailureCode};
use super::rounds::Loop;
use super::slot::Slot;
use crate::Bill;
use crate::analytics::Tally;
use crate::binding::Bindings;
use billing::Microcredits;
use types::clock::{self, Timestamp};
use types::ids::{RunId, RunRef, WorkflowId};
use types::tokens::Tokens;
use workflow::StepIx;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted, not yet begun.
    Pending,
    /// Steps start as they become ready.
    Running,
    /// Nothing new starts until it is resumed; what is under way may finish.
    Paused,
    /// Nothing new starts any more; what is under way may finish, and then the run is stopped.
    Draining,
    /// Every step is settled. Final.
    Completed,
    /// A step failed, or the run stalled. Final, but for an explicit retry.
    Failed,
    /// Somebody stopped it. Final, but for an explicit retry.
    Stopped,
}

impl RunStatus {
    /// Every status, for lists of what is allowed.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Paused,
        Self::Draining,
        Self::Completed,
        Self::Failed,
        Self::Stopped,
    ];

    /// The status as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// The status written as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Stopped => true,
            Self::Pending | Self::Running | Self::Paused | Self::Draining => false,
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

/// The run, and the step in it, that a child run was started by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The parent's run; it is of the same project.
    pub run_id: RunId,
    /// The step that called.
    pub slot: Slot,
    /// Whether the step waits until the child is over.
    pub waits: bool,
    /// The workflows from the outermost one down to the parent's: the way into a cycle.
    pub callers: Vec<WorkflowId>,
}

/// What a run was started with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInput {
    /// `{{input.*}}`.
    pub input: Value,
    /// Laid over the input for one step, by step id.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub trigger_steps: Map<String, Value>,
    /// What the servers that steps call were resolved to at the start: ids and names, never secrets.
    #[serde(default, skip_serializing_if = "Bindings::is_empty")]
    pub mcp: Bindings,
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
    /// What called it.
    pub parent: Option<Parent>,
    /// Whoever started it may not have tools called.
    pub without_mcp: bool,
    /// What a step costs.
    pub price: Microcredits,
    /// The run that this one goes on from, and what it takes over.
    pub recovery: Option<Recovery>,
}

/// What a run takes over from another.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The other run.
    pub run_id: RunId,
    /// Its steps that were settled, in an order in which they may be.
    pub reused: Vec<Reused>,
}

/// A settled step that is taken over.
#[derive(Debug, Clone)]
pub struct Reused {
    /// The step.
    pub step: StepIx,
    /// How it was settled.
    pub state: StepState,
    /// The fields it was called with.
    pub input: Option<Arc<Value>>,
    /// Its result.
    pub result: Option<Arc<Value>>,
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

impl Usage {
    /// Counts what an attempt cost at models.
    pub fn count(&mut self, tokens: Tokens) {
        self.tokens_in = self.tokens_in.saturating_add(tokens.tokens_in);
        self.tokens_out = self.tokens_out.saturating_add(tokens.tokens_out);
    }
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
    /// Why it failed, or why it will when it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it was paused, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// When a drain ends whatever is still under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_until: Option<Timestamp>,
    /// What called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Whoever started or retried it may not have tools called: neither may its children.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_mcp: bool,
    /// Child runs that nothing waits for any more and that are still to be stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<RunId>,
    /// How often it was retried as a whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Attempts of steps before the latest retry of the whole run: their numbers go on, their counts do not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts_before: BTreeMap<StepIx, u32>,
    /// What it has used.
    #[serde(default)]
    pub usage: Usage,
    /// What of it the counters know.
    #[serde(default)]
    pub tally: Tally,
    /// What it costs, and what of that is in the ledger.
    #[serde(default)]
    pub bill: Bill,
    /// By the step's place in the graph, which never changes for a published version.
    pub steps: Vec<StepState>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
