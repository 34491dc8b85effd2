//! A workspace's plan as all of billing shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::subscription::read;
use super::usage::{UsageView, usage};
use crate::state::AppState;
use billing::subscription::{Standing, Status, TrialView, status};
use platform::boxed;
use types::Result;
use types::clock::Timestamp;
use types::ids::TenantId;

/// Where a workspace stands with its plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingView {
    /// In one word.
    status: Status,
    /// The plan; absent when it never had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pro")]
    plan_code: Option<String>,
    /// The plan's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "AgentRuntime Pro")]
    product_name: Option<String>,
    /// When the period that is paid for began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    current_period_start: Option<Timestamp>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    current_period_end: Option<Timestamp>,
    /// Whether the plan ends with it.
    cancel_at_period_end: bool,
    /// The plan that follows then, when that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pro")]
    scheduled_plan_code: Option<String>,
    /// Whether a plan can still be tried.
    trial_available: bool,
    /// The trial that there is or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<TrialView>,
    /// Whether this deployment takes payments.
    payments_enabled: bool,
}

impl StandingView {
    /// Of this standing, now.
    pub(super) async fn of(state: &AppState, standing: &Standing) -> Result<Self> {
        let now = state.clock.now();
        let (status, plan_code) = status(standing, now);
        let plan = match plan_code {
            Some(code) => state.config.plans.product()?.plan(code),
            None => None,
        };
        let paid = standing.live();
        Ok(Self {
            status,
            plan_code: plan_code.map(str::to_owned),
            product_name: plan.map(|plan| plan.product_name.clone()),
            current_period_start: paid.map(|paid| paid.period.start),
            current_period_end: paid.map(|paid| paid.period.end),
            cancel_at_period_end: paid.is_some_and(|paid| paid.cancel_at_period_end),
            scheduled_plan_code: paid.and_then(|paid| paid.next_plan.clone()),
            trial_available: standing.trial.is_none() && paid.is_none(),
            trial: TrialView::of(standing, now),
            payments_enabled: state.provider_keys.are_there(&state.secrets).await?,
        })
    }
}

/// A workspace's plan and credits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Summary {
    /// The workspace.
    #[schema(example = "acme")]
    tenant_id: String,
    /// Its plan.
    plan: StandingView,
    /// What it has left.
    credits: UsageView,
}

/// Where a workspace stands with its plan.
///
/// # Errors
/// When a store does not answer.
#[boxed]
pub async fn standing(state: &AppState, tenant: &TenantId) -> Result<StandingView> {
    StandingView::of(state, &read(state, tenant).await?).await
}

/// A workspace's plan and credits.
///
/// # Errors
/// When a store does not answer.
#[boxed]
pub async fn summary(state: &AppState, tenant: &TenantId) -> Result<Summary> {
    Ok(Summary {
        tenant_id: tenant.to_string(),
        plan: standing(state, tenant).await?,
        credits: usage(state, tenant).await?,
    })
}
