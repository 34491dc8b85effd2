//! `GET /v1/billing/usage`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::api::{CanReadBilling, CommonErrors};
use shared::billing::{Balance, Microcredits};
use shared::services::billing;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What a workspace has left, in microcredits: a credit is 1,000,000 of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// To try the product; used first.
    trial_remaining: Microcredits,
    /// With the plan; used next.
    included_remaining: Microcredits,
    /// Bought; used last.
    payg_remaining: Microcredits,
    /// All of it.
    total_remaining_microcredits: Microcredits,
}

impl From<Balance> for UsageView {
    fn from(balance: Balance) -> Self {
        Self {
            trial_remaining: balance.trial,
            included_remaining: balance.included,
            payg_remaining: balance.payg,
            total_remaining_microcredits: balance.total(),
        }
    }
}

/// What the workspace has left.
#[utoipa::path(get, path = "/v1/billing/usage", tag = "billing",
               responses((status = 200, body = UsageView), CommonErrors))]
pub async fn usage(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<UsageView>> {
    Ok(Json(billing::balance(&state, &caller.place.tenant_id).await?.into()))
}
