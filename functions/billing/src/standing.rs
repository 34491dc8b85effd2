//! `GET /v1/billing/status`, `GET /v1/billing/summary`, and a workspace's plan as all of billing shows it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::api::{CanReadBilling, CommonErrors};
use shared::billing::subscription::{Standing, Status, TrialView, status};
use shared::services::billing;
use shared::services::billing::subscription::read;
use shared::types::clock::Timestamp;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::usage::UsageView;

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
    pub async fn of(state: &AppState, standing: &Standing) -> Result<Self> {
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

/// Where the workspace stands with its plan.
#[utoipa::path(get, path = "/v1/billing/status", tag = "billing",
               responses((status = 200, body = StandingView), CommonErrors))]
pub async fn get_status(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<StandingView>> {
    let standing = read(&state, &caller.place.tenant_id).await?;
    Ok(Json(StandingView::of(&state, &standing).await?))
}

/// The workspace's plan and credits.
#[utoipa::path(get, path = "/v1/billing/summary", tag = "billing",
               responses((status = 200, body = Summary), CommonErrors))]
pub async fn get_summary(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<Summary>> {
    let tenant = caller.place.tenant_id;
    let standing = read(&state, &tenant).await?;
    Ok(Json(Summary {
        tenant_id: tenant.to_string(),
        plan: StandingView::of(&state, &standing).await?,
        credits: billing::balance(&state, &tenant).await?.into(),
    }))
}
