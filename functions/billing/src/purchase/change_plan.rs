//! `POST /v1/billing/subscription/change-plan`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::purchase::{self, Changed};
use shared::{AppState, Result};

use super::PlanChoice;

/// Change the plan.
///
/// A higher plan, or the same one by the year, begins at once: what was paid for the old one is deducted, the rest is
/// paid now, and the credits that it has more are granted for what is left of the month. A lower one begins at the end
/// of the period that is paid. Naming the present plan undoes a cancellation or a change that is still to come. A
/// workspace that pays for none is answered as by `POST /v1/billing/subscription`.
#[utoipa::path(post, path = "/v1/billing/subscription/change-plan", tag = "billing", request_body = PlanChoice,
               responses((status = 200, body = Changed),
                         (status = 402, description = "the payment was declined; nothing has changed"),
                         CommonErrors))]
pub async fn change_plan(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(choice): Body<PlanChoice>,
) -> Result<Json<Changed>> {
    purchase::change_plan(&state, &caller.place.tenant_id, &choice.into()).await.map(Json)
}
