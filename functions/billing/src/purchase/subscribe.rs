//! `POST /v1/billing/subscription`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::billing::plans::Plan;
use shared::billing::subscription::Standing;
use shared::services::billing::subscription::change;
use shared::types::ids::TenantId;
use shared::{AppState, Result};

use super::{Beginning, Changed, PlanChoice, checkout, refused};

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
    let plan = choice.named(&state)?;
    Ok(Json(take(&state, &caller.place.tenant_id, plan, &choice).await?))
}

/// Takes a plan, when none is paid.
pub(super) async fn take(
    state: &AppState,
    tenant: &TenantId,
    plan: &Plan,
    choice: &PlanChoice,
) -> Result<Changed> {
    if !plan.is_free() {
        return checkout(state, tenant, (plan, choice), Beginning::AfterTrial).await;
    }
    let begin = |standing: &mut Standing, _: &_, now| standing.begin_free(plan, now).map_err(refused);
    let (standing, ()) = change(state, tenant, begin).await?;
    Changed::done(state, &standing).await
}
