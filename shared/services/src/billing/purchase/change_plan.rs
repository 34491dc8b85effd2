//! From one plan to another.

use super::changed::Changed;
use super::checkout::begin;
use super::choice::PlanChoice;
use super::subscribe::take;
use crate::billing::provider::provider;
use crate::billing::subscription::{ask_provider, change, read};
use crate::state::AppState;
use billing::plans::{Move, Plan};
use billing::subscription::{Paid, ProviderState, Standing};
use clients::stripe::{Key, Provider, Subscription};
use platform::boxed;
use types::error::ErrorCode;
use types::ids::TenantId;
use types::{Error, Result};

/// Changes the plan: to a higher one at once, to a lower one at the end of the period that is paid. Whoever pays for
/// none takes one.
///
/// # Errors
/// Invalid when the plan is none; conflict `PAYMENT_DUE` when the last payment has failed, `PLAN_NOT_SOLD` when the
/// plan has no price; payment required when the payment is declined; when a store or the provider does not answer.
#[boxed]
pub async fn change_plan(state: &AppState, tenant: &TenantId, choice: &PlanChoice) -> Result<Changed> {
    let plan = choice.named(state)?;
    if read(state, tenant).await?.live().is_none() {
        return take(state, tenant, plan, choice).await;
    }
    let provider = provider(state).await?;
    let (_, key) = begin(state, tenant).await?;
    // What is asked for depends on how things are, not on what was last heard of them.
    let standing = ask_provider(state, &provider, tenant, None).await?;
    let Some(paid) = standing.live() else {
        return take(state, tenant, plan, choice).await;
    };
    let price = match plan.is_free() {
        true => "",
        false => state.config.plans.price_of(plan).ok_or_else(not_sold)?,
    };
    let task = Task { state, provider: &provider, tenant, key: &key };
    task.go(paid, plan, price).await?;
    let standing = ask_provider(state, &provider, tenant, None).await?;
    Changed::done(state, &standing).await
}

struct Task<'a> {
    state: &'a AppState,
    provider: &'a Provider<'a>,
    tenant: &'a TenantId,
    key: &'a Key,
}

impl Task<'_> {
    async fn go(&self, paid: &Paid, plan: &Plan, price: &str) -> Result<()> {
        let product = self.state.config.plans.product()?;
        let present = product.plan(&paid.plan_code);
        let present = present.ok_or_else(|| Error::internal("the present plan is not in the catalog"))?;
        let change = present.change_to(plan);
        if paid.state == ProviderState::PastDue && change != Move::Stay {
            let message =
                "The last payment has failed; pay it first. GET /v1/billing/payment-history shows it.";
            return Err(Error::conflict(ErrorCode::PaymentDue, message));
        }
        let found = self.provider.subscription(&paid.id).await?;
        let subscription = found.ok_or_else(|| Error::internal("the subscription is gone"))?;
        match change {
            Move::Stay => self.go_on(paid, &subscription).await,
            Move::Up => {
                self.go_on(paid, &subscription).await?;
                self.provider.change_price(&paid.id, subscription.item()?, price, self.key).await
            }
            Move::Down if plan.is_free() => self.become_free(paid, plan, &subscription).await,
            // What is tried is not paid yet, so nothing is lost by changing it at once.
            Move::Down if paid.state == ProviderState::Trialing => {
                self.go_on(paid, &subscription).await?;
                self.provider.change_price(&paid.id, subscription.item()?, price, self.key).await
            }
            Move::Down => {
                if paid.cancel_at_period_end {
                    self.provider.cancel_at_period_end(&paid.id, false, self.key).await?;
                }
                self.provider.schedule_price(&paid.id, &subscription, price, self.key).await
            }
        }
    }

    /// Without whatever was to come at the period's end.
    async fn go_on(&self, paid: &Paid, subscription: &Subscription) -> Result<()> {
        if let Some(schedule) = subscription.schedule() {
            self.provider.release(schedule, self.key).await?;
        }
        if paid.cancel_at_period_end {
            self.provider.cancel_at_period_end(&paid.id, false, self.key).await?;
        }
        Ok(())
    }

    /// The provider only knows that the subscription ends; what follows is noted here, before it does.
    async fn become_free(&self, paid: &Paid, plan: &Plan, subscription: &Subscription) -> Result<()> {
        let note = |standing: &mut Standing, _: &_, _| {
            if let Some(paid) = &mut standing.paid {
                paid.next_plan = Some(plan.plan_code.clone());
            }
            Ok(())
        };
        change(self.state, self.tenant, note).await?;
        if let Some(schedule) = subscription.schedule() {
            self.provider.release(schedule, self.key).await?;
        }
        self.provider.cancel_at_period_end(&paid.id, true, self.key).await
    }
}

fn not_sold() -> Error {
    Error::conflict(ErrorCode::PlanNotSold, "plan_code: is not for sale here; its operator has set no price.")
}
