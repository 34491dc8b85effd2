//! Where a run stands, what started it, what it has used, and why a step of it was skipped.

use serde::{Deserialize, Serialize};

use types::tokens::Tokens;

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

/// Why a step was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// `enabled` is false.
    StepDisabled,
    /// `condition` was falsy.
    ConditionFalse,
    /// `skip_when` was truthy.
    SkipWhen,
    /// The run failed before the step could start.
    Blocked,
    /// A person said no before it.
    Rejected,
    /// Left out of this run.
    OutOfScope,
}

impl SkipReason {
    /// The reason as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StepDisabled => "step_disabled",
            Self::ConditionFalse => "condition_false",
            Self::SkipWhen => "skip_when",
            Self::Blocked => "blocked",
            Self::Rejected => "rejected",
            Self::OutOfScope => "out_of_scope",
        }
    }
}
