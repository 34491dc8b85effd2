//! `POST /v1/billing/trial`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::billing::plans::Plan;
use shared::billing::subscription::{Refusal, Standing};
use shared::services::billing::subscription::{change, read};
use shared::{AppState, Error, Result};

use super::{Beginning, Changed, PlanChoice, checkout, refused};

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
    let tenant = caller.place.tenant_id;
    let plan = plan(&state, &choice)?;
    if plan.trial.is_some_and(|trial| trial.requires_card) {
        if read(&state, &tenant).await?.trial.is_some() {
            return Err(refused(Refusal::TrialUsed));
        }
        return Ok(Json(checkout(&state, &tenant, (plan, &choice), Beginning::WithTrial).await?));
    }
    let begin = |standing: &mut Standing, _: &_, now| standing.begin_trial(plan, now).map_err(refused);
    let (standing, ()) = change(&state, &tenant, begin).await?;
    Ok(Json(Changed::done(&state, &standing).await?))
}

fn plan<'a>(state: &'a AppState, choice: &PlanChoice) -> Result<&'a Plan> {
    let plan = match choice.plan(state)? {
        Some(plan) => Some(plan),
        None => state.config.plans.product()?.onboarding_default(),
    };
    let without =
        || Error::invalid("plan_code: this plan has no trial; GET /v1/billing/plans shows which have.");
    plan.filter(|plan| plan.trial.is_some()).ok_or_else(without)
}
