//! A standing in one word, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ProviderState, Standing};
use types::clock::Timestamp;

/// Where a workspace stands with its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubscriptionStatus)]
pub enum Status {
    /// It has no plan, and pays as it goes.
    None,
    /// It tries one.
    Trialing,
    /// It has one.
    Active,
    /// It has one until the period's end.
    Canceling,
    /// It has one whose payment has failed.
    PastDue,
    /// It had one.
    Canceled,
}

/// The trial of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrialView {
    /// The plan that is tried.
    plan_code: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ends, or was to end.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// When it was over; absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl TrialView {
    /// The trial of a standing at this time.
    pub fn of(standing: &Standing, now: Timestamp) -> Option<Self> {
        let trial = standing.trial.as_ref()?;
        Some(Self {
            plan_code: trial.plan_code.clone(),
            started_at: trial.started_at,
            ends_at: trial.ends_at,
            // Its end may have come before somebody wrote it down.
            ended_at: trial.ended_at.or(Some(trial.ends_at).filter(|end| *end <= now)),
        })
    }
}

/// A standing in one word, and the plan that it is about.
pub fn status(standing: &Standing, now: Timestamp) -> (Status, Option<&str>) {
    if let Some(paid) = standing.live() {
        let status = match paid.state {
            ProviderState::PastDue => Status::PastDue,
            _ if paid.cancel_at_period_end => Status::Canceling,
            ProviderState::Trialing => Status::Trialing,
            _ => Status::Active,
        };
        return (status, Some(&paid.plan_code));
    }
    if let Some(trial) = standing.open_trial().filter(|trial| trial.ends_at > now) {
        return (Status::Trialing, Some(&trial.plan_code));
    }
    if let Some(free) = standing.free() {
        return (Status::Active, Some(&free.plan_code));
    }
    match &standing.paid {
        Some(paid) => (Status::Canceled, Some(&paid.plan_code)),
        None => (Status::None, None),
    }
}
