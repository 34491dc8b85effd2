//! `GET /v1/config/stripe`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::api::{CanReadBilling, CommonErrors};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What a web page needs to collect payments.
#[derive(Debug, Serialize, ToSchema)]
pub struct StripeConfig {
    /// Whether this deployment takes payments.
    enabled: bool,
    /// The payment provider's key for web pages; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pk_…")]
    publishable_key: Option<String>,
}

/// With which key web pages collect payments.
#[utoipa::path(get, path = "/v1/config/stripe", tag = "billing",
               responses((status = 200, body = StripeConfig), CommonErrors))]
pub async fn get_stripe_config(
    State(state): State<AppState>,
    _: CanReadBilling,
) -> Result<Json<StripeConfig>> {
    let enabled = state.provider_keys.are_there(&state.secrets).await?;
    let key = &state.config.plans.publishable_key;
    let publishable_key = Some(key.clone()).filter(|key| enabled && !key.is_empty());
    Ok(Json(StripeConfig { enabled, publishable_key }))
}
