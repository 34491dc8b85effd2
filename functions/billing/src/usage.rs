//! `GET /v1/billing/usage`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadBilling, CommonErrors};
use shared::services::billing::{self, UsageView};
use shared::{AppState, Result};

/// What the workspace has left.
#[utoipa::path(get, path = "/v1/billing/usage", tag = "billing",
               responses((status = 200, body = UsageView), CommonErrors))]
pub async fn usage(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<UsageView>> {
    billing::usage(&state, &caller.place.tenant_id).await.map(Json)
}
