//! Pages on which a plan is paid, and what all changes begin with.

use std::time::Duration;

use super::changed::Changed;
use super::choice::PlanChoice;
use crate::billing::discounts;
use crate::billing::provider::provider;
use crate::billing::subscription::{ask_provider, change};
use crate::state::AppState;
use billing::plans::Plan;
use billing::subscription::{Checkout, Refusal, Standing};
use clients::stripe::{Key, NewCheckout, Provider};
use types::clock::Timestamp;
use types::error::ErrorCode;
use types::ids::TenantId;
use types::{Error, Result};

/// A trial that ends sooner than this after a checkout is no trial to Stripe: at least 48 hours, and the page may be
/// open for a day.
const SHORTEST_TRIAL: Duration = Duration::from_secs(72 * 3600);

/// Numbers a change of the tenant's, before the provider is asked for anything.
pub(super) async fn begin(state: &AppState, tenant: &TenantId) -> Result<(Standing, Key)> {
    let (standing, number) = change(state, tenant, |standing, _, _| {
        standing.changes += 1;
        Ok(standing.changes)
    })
    .await?;
    Ok((standing, Key::of_change(&state.config.table_name, tenant, number)))
}

/// Who the tenant is to the provider; made when it is nobody yet.
pub(super) async fn customer(
    state: &AppState,
    provider: &Provider<'_>,
    standing: &Standing,
) -> Result<String> {
    if let Some(known) = &standing.customer_id {
        return Ok(known.clone());
    }
    let tenant = &standing.tenant_id;
    let made =
        provider.create_customer(tenant, &Key::of_call(&state.config.table_name, tenant, "customer")).await?;
    // First, so that whatever names the customer finds the tenant.
    state.store.link_customer(&made, tenant).await?;
    let keep =
        |standing: &mut Standing, _: &_, _| Ok(standing.customer_id.get_or_insert(made.clone()).clone());
    Ok(change(state, tenant, keep).await?.1)
}

/// How a checkout begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A trial that is under way goes on, when it is long enough.
    AfterTrial,
    /// At once.
    Now,
    /// With a trial.
    WithTrial,
}

/// A page for paying a plan, in place of one that is open.
pub(super) async fn checkout(
    state: &AppState,
    tenant: &TenantId,
    (plan, choice): (&Plan, &PlanChoice),
    beginning: Beginning,
) -> Result<Changed> {
    let provider = provider(state).await?;
    let price = state.config.plans.price_of(plan).ok_or_else(|| {
        let message =
            format!("plan_code: {} is not for sale here; its operator has set no price.", plan.plan_code);
        Error::conflict(ErrorCode::PlanNotSold, message)
    })?;
    let (success_url, cancel_url) = choice.urls(state)?;
    let promotion = match &choice.discount_code {
        None => None,
        Some(code) => Some(discounts::find(&provider, code).await?.id),
    };
    let (standing, key) = begin(state, tenant).await?;
    let standing = close_open(state, &provider, standing, &key).await?;
    if standing.live().is_some() {
        return Err(subscribed());
    }
    let customer = customer(state, &provider, &standing).await?;
    let new = NewCheckout {
        customer: &customer,
        price,
        success_url: &success_url,
        cancel_url: &cancel_url,
        trial_end: trial_end(&standing, beginning, state.clock.now()),
        trial_days: plan.trial.filter(|_| beginning == Beginning::WithTrial).map(|trial| trial.days),
        promotion: promotion.as_deref(),
    };
    let made = provider.create_checkout(tenant, &new, &key).await?;
    let url = made.url.ok_or_else(|| Error::internal("a checkout without a page"))?;
    let open = Checkout { id: made.id, url, plan_code: plan.plan_code.clone() };
    let (standing, ()) = change(state, tenant, |standing, _, _| {
        standing.checkout = Some(open.clone());
        Ok(())
    })
    .await?;
    Changed::to_pay(state, &standing, open).await
}

/// Two pages could be paid twice. What was paid on the open one is taken over.
async fn close_open(
    state: &AppState,
    provider: &Provider<'_>,
    standing: Standing,
    key: &Key,
) -> Result<Standing> {
    let Some(open) = &standing.checkout else { return Ok(standing) };
    match provider.close_checkout(&open.id, key).await? {
        Some(paid) => ask_provider(state, provider, &standing.tenant_id, Some(&paid)).await,
        None => Ok(standing),
    }
}

fn trial_end(standing: &Standing, beginning: Beginning, now: Timestamp) -> Option<Timestamp> {
    let trial = standing.open_trial().filter(|_| beginning == Beginning::AfterTrial)?;
    Some(trial.ends_at).filter(|end| *end >= now.plus(SHORTEST_TRIAL))
}

pub(super) fn subscribed() -> Error {
    let message =
        "The workspace pays for a plan already; change it with POST /v1/billing/subscription/change-plan.";
    Error::conflict(ErrorCode::AlreadySubscribed, message)
}

pub(super) fn no_subscription() -> Error {
    let message = "The workspace has no plan; choose one with POST /v1/billing/subscription.";
    Error::conflict(ErrorCode::NoSubscription, message)
}

pub(super) fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Subscribed => subscribed(),
        Refusal::TrialUsed => {
            Error::conflict(ErrorCode::TrialUsed, "The workspace has had its trial; there is one for each.")
        }
    }
}
