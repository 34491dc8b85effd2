//! The first plan.

use super::changed::Changed;
use super::checkout::{Beginning, checkout, refused};
use super::choice::PlanChoice;
use crate::billing::subscription::change;
use crate::state::AppState;
use billing::plans::Plan;
use billing::subscription::Standing;
use platform::boxed;
use types::Result;
use types::ids::TenantId;

/// Takes a plan: one that costs nothing at once, for the others a page is made on which they are paid.
///
/// # Errors
/// Invalid when the plan is none; conflict `ALREADY_SUBSCRIBED` when one is paid, `PLAN_NOT_SOLD` when it has no price;
/// when a store or the provider does not answer.
#[boxed]
pub async fn subscribe(state: &AppState, tenant: &TenantId, choice: &PlanChoice) -> Result<Changed> {
    let plan = choice.named(state)?;
    take(state, tenant, plan, choice).await
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
