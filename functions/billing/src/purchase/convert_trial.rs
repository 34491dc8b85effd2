//! `POST /v1/billing/subscription/convert-trial-now`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::billing::subscription::ProviderState;
use shared::services::billing::subscription::{ask_provider, read};
use shared::types::error::Kind;
use shared::{AppState, Error, Result};

use super::{Beginning, Changed, PlanChoice, begin, checkout};

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
    let tenant = caller.place.tenant_id;
    let chosen = choice.plan(&state)?;
    let standing = read(&state, &tenant).await?;
    let Some(paid) = standing.live() else {
        let now = state.clock.now();
        let trial = standing.open_trial().filter(|trial| trial.ends_at > now).ok_or_else(no_trial)?;
        let tried = state.config.plans.product()?.plan(&trial.plan_code);
        let plan = chosen.or(tried).filter(|plan| !plan.is_free()).ok_or_else(|| {
            Error::new(Kind::Invalid, "INVALID_REQUEST", "plan_code: name a plan that is paid.")
        })?;
        return Ok(Json(checkout(&state, &tenant, (plan, &choice), Beginning::Now).await?));
    };
    if chosen.is_some_and(|plan| plan.plan_code != paid.plan_code) {
        let message = "plan_code: is another than the one taken during the trial; change the plan first.";
        return Err(Error::conflict("ALREADY_SUBSCRIBED", message));
    }
    let provider = shared::services::billing::provider(&state).await?;
    let (_, key) = begin(&state, &tenant).await?;
    let standing = ask_provider(&state, &provider, &tenant, None).await?;
    let paid = standing.live().filter(|paid| paid.state == ProviderState::Trialing).ok_or_else(no_trial)?;
    provider.end_trial(&paid.id, &key).await?;
    let standing = ask_provider(&state, &provider, &tenant, None).await?;
    Ok(Json(Changed::done(&state, &standing).await?))
}

fn no_trial() -> Error {
    Error::conflict("NO_TRIAL", "The workspace has no trial that is under way.")
}
