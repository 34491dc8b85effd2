//! `GET /v1/billing/plans`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadBilling, CommonErrors};
use shared::services::billing::{self, Plans};
use shared::{AppState, Result};

/// The plans that can be bought.
#[utoipa::path(get, path = "/v1/billing/plans", tag = "billing",
               responses((status = 200, body = Plans), CommonErrors))]
pub async fn get_plans(State(state): State<AppState>, _: CanReadBilling) -> Result<Json<Plans>> {
    billing::plans(&state).map(Json)
}
