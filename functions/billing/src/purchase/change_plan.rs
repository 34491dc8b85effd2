//! `POST /v1/billing/subscription/change-plan`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::billing::plans::{Move, Plan};
use shared::billing::subscription::{Paid, ProviderState, Standing};
use shared::clients::stripe::{Key, Provider, Subscription};
use shared::services::billing::subscription::{ask_provider, change, read};
use shared::types::ids::TenantId;
use shared::{AppState, Error, Result};

use super::{Changed, PlanChoice, begin, subscribe};

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
    let (tenant, plan) = (caller.place.tenant_id, choice.named(&state)?);
    if read(&state, &tenant).await?.live().is_none() {
        return Ok(Json(subscribe::take(&state, &tenant, plan, &choice).await?));
    }
    let provider = shared::services::billing::provider(&state).await?;
    let (_, key) = begin(&state, &tenant).await?;
    // What is asked for depends on how things are, not on what was last heard of them.
    let standing = ask_provider(&state, &provider, &tenant, None).await?;
    let Some(paid) = standing.live() else {
        return Ok(Json(subscribe::take(&state, &tenant, plan, &choice).await?));
    };
    let price = match plan.is_free() {
        true => "",
        false => state.config.plans.price_of(plan).ok_or_else(not_sold)?,
    };
    let task = Task { state: &state, provider: &provider, tenant: &tenant, key: &key };
    task.go(paid, plan, price).await?;
    let standing = ask_provider(&state, &provider, &tenant, None).await?;
    Ok(Json(Changed::done(&state, &standing).await?))
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
            return Err(Error::conflict("PAYMENT_DUE", message));
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
    Error::conflict("PLAN_NOT_SOLD", "plan_code: is not for sale here; its operator has set no price.")
}
