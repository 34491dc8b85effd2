//! Trying a plan.

use super::changed::Changed;
use super::checkout::{Beginning, checkout, refused};
use super::choice::PlanChoice;
use crate::billing::subscription::{change, read};
use crate::state::AppState;
use billing::plans::Plan;
use billing::subscription::{Refusal, Standing};
use platform::boxed;
use types::ids::TenantId;
use types::{Error, Result};

/// Begins a trial, once for each workspace: at once, or on a page where a card is asked for.
///
/// # Errors
/// Invalid when the plan has no trial; conflict `TRIAL_USED` when there was one, `ALREADY_SUBSCRIBED` when a plan is paid;
/// when a store or the provider does not answer.
#[boxed]
pub async fn begin_trial(state: &AppState, tenant: &TenantId, choice: &PlanChoice) -> Result<Changed> {
    let plan = plan(state, choice)?;
    if plan.trial.is_some_and(|trial| trial.requires_card) {
        if read(state, tenant).await?.trial.is_some() {
            return Err(refused(Refusal::TrialUsed));
        }
        return checkout(state, tenant, (plan, choice), Beginning::WithTrial).await;
    }
    let begin = |standing: &mut Standing, _: &_, now| standing.begin_trial(plan, now).map_err(refused);
    let (standing, ()) = change(state, tenant, begin).await?;
    Changed::done(state, &standing).await
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
