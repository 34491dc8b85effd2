//! `POST /v1/billing/trial`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::purchase::{self, Changed};
use shared::{AppState, Result};

use super::PlanChoice;

/// Try a plan, once for each workspace.
///
/// The plan is the one that new workspaces are offered first when none is named. Its credits are there at once, and
/// lapse at the trial's end. Where a trial requires a card the answer has a `checkout_url` with which it begins.
#[utoipa::path(post, path = "/v1/billing/trial", tag = "billing", request_body = PlanChoice,
               responses((status = 200, body = Changed), CommonErrors))]
pub async fn begin_trial(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(choice): Body<PlanChoice>,
) -> Result<Json<Changed>> {
    purchase::begin_trial(&state, &caller.place.tenant_id, &choice.into()).await.map(Json)
}
