//! `POST /v1/billing/subscription/cancel`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::purchase::{self, Changed};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// Nothing needs to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {}

/// Cancel the plan at the end of the period that is paid.
///
/// Until then it can be used, and taken up again by changing to the same plan. Credits that were bought stay. A plan
/// that costs nothing ends at once.
#[utoipa::path(post, path = "/v1/billing/subscription/cancel", tag = "billing", request_body = Cancel,
               responses((status = 200, body = Changed), CommonErrors))]
pub async fn cancel(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(_nothing): Body<Cancel>,
) -> Result<Json<Changed>> {
    purchase::cancel(&state, &caller.place.tenant_id).await.map(Json)
}
