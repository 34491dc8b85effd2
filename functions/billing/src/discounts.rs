//! `POST /v1/billing/discounts/validate`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::discounts::{self, Discount};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A code to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscountCode {
    /// As people enter it, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "LAUNCH20")]
    code: String,
}

/// Look at a discount code. It is used by naming it as the `discount_code` of a checkout.
#[utoipa::path(post, path = "/v1/billing/discounts/validate", tag = "billing", request_body = DiscountCode,
               responses((status = 200, body = Discount), CommonErrors))]
pub async fn validate_discount(
    State(state): State<AppState>,
    CanChangeBilling(_caller): CanChangeBilling,
    Body(asked): Body<DiscountCode>,
) -> Result<Json<Discount>> {
    discounts::validate(&state, &asked.code).await.map(Json)
}
