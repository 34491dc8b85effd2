//! What a tenant admin does about the workspace's plan.
//!
//! Each change has a number, which is written before the provider is asked for anything; calls are known to it by that
//! number, so that one whose answer was lost is made once. What the change has led to is then asked for and taken over,
//! as after any event. So a change that died on the way is carried out again without harm: it finds what is done.

pub mod cancel;
pub mod change_plan;
pub mod convert_trial;
pub mod subscribe;
pub mod topup;
pub mod trial;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::billing::plans::Plan;
use shared::billing::subscription::{Checkout, Refusal, Standing};
use shared::clients::stripe::{Key, NewCheckout, Provider};
use shared::services::billing::subscription::{ask_provider, change};
use shared::types::clock::Timestamp;
use shared::types::ids::TenantId;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::standing::StandingView;

/// A trial that ends sooner than this after a checkout is no trial to Stripe: at least 48 hours, and the page may be
/// open for a day.
const SHORTEST_TRIAL: Duration = Duration::from_secs(72 * 3600);
/// The most characters of a URL.
const LONGEST_URL: usize = 2_000;

/// A plan, by one of its names, and what its checkout needs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChoice {
    /// The plan.
    #[schema(example = "pro")]
    plan_code: Option<String>,
    /// The plan by the payment provider's price.
    #[schema(example = "price_…")]
    stripe_price_id: Option<String>,
    /// Where a checkout leads when it is paid; the deployment's own page when absent.
    #[schema(max_length = 2000, example = "https://console.example.com/billing")]
    success_url: Option<String>,
    /// Where it leads when it is not; as `success_url` when absent.
    #[schema(max_length = 2000)]
    cancel_url: Option<String>,
    /// A discount code for a checkout.
    #[schema(max_length = 200)]
    discount_code: Option<String>,
}

/// What a change has led to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// Where the workspace stands now.
    #[serde(flatten)]
    standing: StandingView,
    /// The page on which the plan is paid; the plan begins when it is. Absent when nothing is to be paid there.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<String>,
    /// The payment provider's id of that page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "cs_…")]
    checkout_session_id: Option<String>,
}

impl Changed {
    async fn done(state: &AppState, standing: &Standing) -> Result<Self> {
        let standing = StandingView::of(state, standing).await?;
        Ok(Self { standing, checkout_url: None, checkout_session_id: None })
    }

    async fn to_pay(state: &AppState, standing: &Standing, checkout: Checkout) -> Result<Self> {
        let standing = StandingView::of(state, standing).await?;
        Ok(Self { standing, checkout_url: Some(checkout.url), checkout_session_id: Some(checkout.id) })
    }
}

impl PlanChoice {
    /// The plan that is chosen; none when none is named.
    fn plan<'a>(&self, state: &'a AppState) -> Result<Option<&'a Plan>> {
        let settings = &state.config.plans;
        let by_code = match &self.plan_code {
            None => None,
            Some(code) => {
                let unknown = || Error::invalid("plan_code: is none of GET /v1/billing/plans.");
                let plan = settings.product()?.plan(code).filter(|plan| !plan.hidden);
                Some(plan.ok_or_else(unknown)?)
            }
        };
        let by_price = match &self.stripe_price_id {
            None => None,
            Some(price) => {
                let unknown = || Error::invalid("stripe_price_id: is none of GET /v1/billing/plans.");
                Some(settings.plan_of_price(price).ok_or_else(unknown)?)
            }
        };
        match (by_code, by_price) {
            (Some(one), Some(other)) if one != other => {
                Err(Error::invalid("stripe_price_id: is of another plan than plan_code; send one of them."))
            }
            (one, other) => Ok(one.or(other)),
        }
    }

    /// The same, where one must be named.
    fn named<'a>(&self, state: &'a AppState) -> Result<&'a Plan> {
        let missing =
            || Error::invalid("plan_code: name a plan of GET /v1/billing/plans, or its stripe_price_id.");
        self.plan(state)?.ok_or_else(missing)
    }

    fn urls(&self, state: &AppState) -> Result<(String, String)> {
        let usual = Some(&state.config.plans.return_url).filter(|url| !url.is_empty());
        let success = self.success_url.as_ref().or(usual);
        let success = success.ok_or_else(|| {
            Error::invalid(
                "success_url: say where the checkout leads; this deployment has no page of its own.",
            )
        })?;
        let cancel = self.cancel_url.as_ref().unwrap_or(success);
        Ok((url("success_url", success)?, url("cancel_url", cancel)?))
    }
}

/// Somebody's browser is sent there.
fn url(field: &str, text: &str) -> Result<String> {
    let secure = text.starts_with("https://");
    let local = ["http://localhost", "http://127.0.0.1"].iter().any(|own| text.starts_with(own));
    let whole = text.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some());
    match text.len() <= LONGEST_URL && (secure || local) && whole {
        true => Ok(text.to_owned()),
        false => {
            Err(Error::invalid(format!("{field}: must be an https URL of at most {LONGEST_URL} characters.")))
        }
    }
}

/// Numbers a change of the tenant's, before the provider is asked for anything.
async fn begin(state: &AppState, tenant: &TenantId) -> Result<(Standing, Key)> {
    let (standing, number) = change(state, tenant, |standing, _, _| {
        standing.changes += 1;
        Ok(standing.changes)
    })
    .await?;
    Ok((standing, Key::of_change(&state.config.table_name, tenant, number)))
}

/// Who the tenant is to the provider; made when it is nobody yet.
async fn customer(state: &AppState, provider: &Provider<'_>, standing: &Standing) -> Result<String> {
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
enum Beginning {
    /// A trial that is under way goes on, when it is long enough.
    AfterTrial,
    /// At once.
    Now,
    /// With a trial.
    WithTrial,
}

/// A page for paying a plan, in place of one that is open.
async fn checkout(
    state: &AppState,
    tenant: &TenantId,
    (plan, choice): (&Plan, &PlanChoice),
    beginning: Beginning,
) -> Result<Changed> {
    let provider = shared::services::billing::provider(state).await?;
    let price = state.config.plans.price_of(plan).ok_or_else(|| {
        let message =
            format!("plan_code: {} is not for sale here; its operator has set no price.", plan.plan_code);
        Error::conflict("PLAN_NOT_SOLD", message)
    })?;
    let (success_url, cancel_url) = choice.urls(state)?;
    let promotion = match &choice.discount_code {
        None => None,
        Some(code) => Some(crate::discounts::find(&provider, code).await?.id),
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

fn subscribed() -> Error {
    let message =
        "The workspace pays for a plan already; change it with POST /v1/billing/subscription/change-plan.";
    Error::conflict("ALREADY_SUBSCRIBED", message)
}

fn no_subscription() -> Error {
    let message = "The workspace has no plan; choose one with POST /v1/billing/subscription.";
    Error::conflict("NO_SUBSCRIPTION", message)
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Subscribed => subscribed(),
        Refusal::TrialUsed => {
            Error::conflict("TRIAL_USED", "The workspace has had its trial; there is one for each.")
        }
    }
}
