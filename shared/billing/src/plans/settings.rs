//! What a deployment sets for its plans and its payment provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Catalog, Plan, Product};
use types::{Error, Result};

/// Where Stripe answers.
const STRIPE: &str = "https://api.stripe.com";

/// A deployment's plans, and what its payment provider calls them.
#[derive(Debug, Clone)]
pub struct PlanSettings {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// Which product of the catalog this deployment sells.
    pub product_code: String,
    /// The provider's price of each plan: `{ "pro": "price_…" }`.
    pub prices: BTreeMap<String, String>,
    /// The name of the secret with the provider's keys; empty for none.
    pub stripe_secret: String,
    /// Where the provider answers.
    pub stripe_base: String,
    /// The key with which web pages collect payments; empty for none. It is no secret.
    pub publishable_key: String,
    /// Where a checkout leads back to when the request does not say; empty for nowhere.
    pub return_url: String,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            catalog: Catalog::embedded(),
            product_code: "agentruntime".to_owned(),
            prices: BTreeMap::new(),
            stripe_secret: String::new(),
            stripe_base: STRIPE.to_owned(),
            publishable_key: String::new(),
            return_url: String::new(),
        }
    }
}

impl PlanSettings {
    /// From the environment that `template.yaml` sets.
    pub fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        let or =
            |name: &str, usual: String| Some(text(name)).filter(|text| !text.is_empty()).unwrap_or(usual);
        let usual = Self::default();
        let prices = text("STRIPE_PRICES");
        Self {
            product_code: or("PRODUCT_CODE", usual.product_code),
            prices: read_prices(&prices),
            stripe_secret: text("STRIPE_SECRET"),
            stripe_base: or("STRIPE_API_BASE", usual.stripe_base),
            publishable_key: text("STRIPE_PUBLISHABLE_KEY"),
            return_url: text("BILLING_RETURN_URL"),
            catalog: usual.catalog,
        }
    }

    /// What this deployment sells.
    ///
    /// # Errors
    /// Internal when the catalog does not know the deployment's product.
    pub fn product(&self) -> Result<&Product> {
        let missing = || Error::internal(format!("plans.yaml has no product {:?}", self.product_code));
        self.catalog.product(&self.product_code).ok_or_else(missing)
    }

    /// What the provider calls a plan's price.
    pub fn price_of(&self, plan: &Plan) -> Option<&str> {
        self.prices.get(&plan.plan_code).map(String::as_str)
    }

    /// The plan of a price of the provider's.
    pub fn plan_of_price(&self, price: &str) -> Option<&Plan> {
        let (code, _) = self.prices.iter().find(|(_, known)| *known == price)?;
        self.catalog.product(&self.product_code)?.plan(code)
    }
}

/// A plan whose price cannot be read is not sold: a typing error must not sell it at another's.
fn read_prices(text: &str) -> BTreeMap<String, String> {
    if text.is_empty() {
        return BTreeMap::new();
    }
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(%error, "STRIPE_PRICES cannot be read; no plan is sold");
        BTreeMap::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_lead_to_plans_of_the_product() {
        let prices = read_prices(r#"{ "pro": "price_1", "gone": "price_2" }"#);
        let settings = PlanSettings { prices, ..PlanSettings::default() };
        assert_eq!(settings.plan_of_price("price_1").map(|plan| plan.plan_code.as_str()), Some("pro"));
        assert_eq!(settings.plan_of_price("price_2"), None);
        assert_eq!(settings.plan_of_price("price_3"), None);
        let plan = |code| settings.product().expect("a product").plan(code).expect("a plan");
        assert_eq!(settings.price_of(plan("pro")), Some("price_1"));
        assert_eq!(settings.price_of(plan("plus")), None);
        assert!(read_prices("{ pro: price_1").is_empty());
    }
}
