//! `GET /v1/config/stripe`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadBilling, CommonErrors};
use shared::services::billing::{self, StripeConfig};
use shared::{AppState, Result};

/// With which key web pages collect payments.
#[utoipa::path(get, path = "/v1/config/stripe", tag = "billing",
               responses((status = 200, body = StripeConfig), CommonErrors))]
pub async fn get_stripe_config(
    State(state): State<AppState>,
    _: CanReadBilling,
) -> Result<Json<StripeConfig>> {
    billing::stripe_config(&state).await.map(Json)
}
