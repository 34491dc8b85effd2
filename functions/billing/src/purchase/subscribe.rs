//! `POST /v1/billing/subscription`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::purchase::{self, Changed};
use shared::{AppState, Result};

use super::PlanChoice;

/// Take a plan.
///
/// A plan that costs nothing begins at once. For the others the answer has a `checkout_url`; the plan begins when it
/// has been paid there, or at the end of a trial that is under way and has three days left.
#[utoipa::path(post, path = "/v1/billing/subscription", tag = "billing", request_body = PlanChoice,
               responses((status = 200, body = Changed), CommonErrors))]
pub async fn subscribe(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(choice): Body<PlanChoice>,
) -> Result<Json<Changed>> {
    purchase::subscribe(&state, &caller.place.tenant_id, &choice.into()).await.map(Json)
}
