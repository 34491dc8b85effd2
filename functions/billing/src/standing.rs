//! `GET /v1/billing/status` and `GET /v1/billing/summary`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadBilling, CommonErrors};
use shared::services::billing::{self, StandingView, Summary};
use shared::{AppState, Result};

/// Where the workspace stands with its plan.
#[utoipa::path(get, path = "/v1/billing/status", tag = "billing",
               responses((status = 200, body = StandingView), CommonErrors))]
pub async fn get_status(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<StandingView>> {
    billing::standing(&state, &caller.place.tenant_id).await.map(Json)
}

/// The workspace's plan and credits.
#[utoipa::path(get, path = "/v1/billing/summary", tag = "billing",
               responses((status = 200, body = Summary), CommonErrors))]
pub async fn get_summary(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<Summary>> {
    billing::summary(&state, &caller.place.tenant_id).await.map(Json)
}
