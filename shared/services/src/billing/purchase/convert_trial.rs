//! The end of a trial before its time.

use super::changed::Changed;
use super::checkout::{Beginning, begin, checkout};
use super::choice::PlanChoice;
use crate::billing::provider::provider;
use crate::billing::subscription::{ask_provider, read};
use crate::state::AppState;
use billing::subscription::ProviderState;
use platform::boxed;
use types::error::{ErrorCode, Kind};
use types::ids::TenantId;
use types::{Error, Result};

/// Ends the trial now: the plan is paid, or a page is made on which it is.
///
/// # Errors
/// Invalid when the plan is none that is paid; conflict `NO_TRIAL` when none is under way, `ALREADY_SUBSCRIBED` when
/// another plan was taken; payment required when the payment is declined; when a store or the provider does not answer.
#[boxed]
pub async fn convert_trial(state: &AppState, tenant: &TenantId, choice: &PlanChoice) -> Result<Changed> {
    let chosen = choice.plan(state)?;
    let standing = read(state, tenant).await?;
    let Some(paid) = standing.live() else {
        let now = state.clock.now();
        let trial = standing.open_trial().filter(|trial| trial.ends_at > now).ok_or_else(no_trial)?;
        let tried = state.config.plans.product()?.plan(&trial.plan_code);
        let plan = chosen.or(tried).filter(|plan| !plan.is_free()).ok_or_else(|| {
            Error::new(Kind::Invalid, ErrorCode::InvalidRequest, "plan_code: name a plan that is paid.")
        })?;
        return checkout(state, tenant, (plan, choice), Beginning::Now).await;
    };
    if chosen.is_some_and(|plan| plan.plan_code != paid.plan_code) {
        let message = "plan_code: is another than the one taken during the trial; change the plan first.";
        return Err(Error::conflict(ErrorCode::AlreadySubscribed, message));
    }
    let provider = provider(state).await?;
    let (_, key) = begin(state, tenant).await?;
    let standing = ask_provider(state, &provider, tenant, None).await?;
    let paid = standing.live().filter(|paid| paid.state == ProviderState::Trialing).ok_or_else(no_trial)?;
    provider.end_trial(&paid.id, &key).await?;
    let standing = ask_provider(state, &provider, tenant, None).await?;
    Changed::done(state, &standing).await
}

fn no_trial() -> Error {
    Error::conflict(ErrorCode::NoTrial, "The workspace has no trial that is under way.")
}
