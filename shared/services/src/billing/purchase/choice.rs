//! Which plan is chosen.

use crate::state::AppState;
use billing::plans::Plan;
use types::{Error, Result};

/// The most characters of a URL.
const LONGEST_URL: usize = 2_000;

/// A plan, by one of its names, and what its checkout needs.
#[derive(Debug, Clone, Default)]
pub struct PlanChoice {
    /// The plan.
    pub plan_code: Option<String>,
    /// The plan by the payment provider's price.
    pub stripe_price_id: Option<String>,
    /// Where a checkout leads when it is paid; the deployment's own page when absent.
    pub success_url: Option<String>,
    /// Where it leads when it is not; as `success_url` when absent.
    pub cancel_url: Option<String>,
    /// A discount code for a checkout.
    pub discount_code: Option<String>,
}

impl PlanChoice {
    /// The plan that is chosen; none when none is named.
    pub(super) fn plan<'a>(&self, state: &'a AppState) -> Result<Option<&'a Plan>> {
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
    pub(super) fn named<'a>(&self, state: &'a AppState) -> Result<&'a Plan> {
        let missing =
            || Error::invalid("plan_code: name a plan of GET /v1/billing/plans, or its stripe_price_id.");
        self.plan(state)?.ok_or_else(missing)
    }

    /// Where a checkout leads, when it is paid and when it is not.
    pub(super) fn urls(&self, state: &AppState) -> Result<(String, String)> {
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
