//! `POST /v1/billing/subscription/convert-trial-now`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::purchase::{self, Changed};
use shared::{AppState, Result};

use super::PlanChoice;

/// End the trial now, and pay for the plan.
///
/// When the plan was taken during the trial, it is paid at once. Otherwise the answer has a `checkout_url`, and the
/// trial goes on until the plan is paid there; the plan is the one that is tried unless another is named. What is left
/// of the trial's credits lapses when the plan is paid.
#[utoipa::path(post, path = "/v1/billing/subscription/convert-trial-now", tag = "billing",
               request_body = PlanChoice,
               responses((status = 200, body = Changed),
                         (status = 402, description = "the payment was declined; the trial goes on"),
                         CommonErrors))]
pub async fn convert_trial(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(choice): Body<PlanChoice>,
) -> Result<Json<Changed>> {
    purchase::convert_trial(&state, &caller.place.tenant_id, &choice.into()).await.map(Json)
}
