//! The catalog's types, how it is read, and what it must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

/// The plans of every product.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Counts the changes of the file.
    pub version: u32,
    products: BTreeMap<String, Product>,
}

/// What one product sells.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Credits without a plan.
    pub payg: Payg,
    /// Its plans, in the order in which they are shown.
    pub plans: Vec<Plan>,
}

/// The price of credits that are bought as they are needed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payg {
    /// The currency, in three small letters.
    pub currency: String,
    /// What a cent buys.
    pub microcredits_per_cent: u64,
    /// The least that is sold at once, in cents.
    pub least_cents: u64,
    /// The most.
    pub most_cents: u64,
}

/// How long a plan's period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BillingInterval)]
pub enum Interval {
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// A trial that comes with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialOffer {
    /// How long.
    pub days: u32,
    /// What is granted for it.
    pub microcredits: u64,
    /// Whether it begins with a checkout.
    pub requires_card: bool,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name for machines.
    pub plan_code: String,
    /// Its name for people.
    pub product_name: String,
    /// Orders plans.
    pub tier: u8,
    /// Cents per interval.
    pub amount: u64,
    /// The currency, in three small letters.
    pub currency: String,
    /// How often it is paid.
    pub interval: Interval,
    /// Microcredits granted each month.
    pub included_microcredits: u64,
    /// Its trial.
    pub trial: Option<TrialOffer>,
    /// Whether new workspaces are offered it first.
    #[serde(default)]
    pub onboarding_default: bool,
    /// Whether new workspaces may choose it themselves.
    #[serde(default)]
    pub self_serve_onboarding: bool,
    /// Neither listed nor sold by the API.
    #[serde(default)]
    pub hidden: bool,
}

/// From which plan to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// To the same.
    Stay,
    /// At once.
    Up,
    /// At the period's end.
    Down,
}

/// What is wrong with a catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plans.yaml: {0}")]
pub struct InvalidCatalog(String);

static EMBEDDED: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    // A test reads the file; one that could not be read would be an empty catalog, not the end of a process.
    Arc::new(Catalog::read(include_str!(concat!(env!("OUT_DIR"), "/plans.json"))).unwrap_or_default())
});

impl Catalog {
    /// The one that is part of the program.
    pub fn embedded() -> Arc<Self> {
        Arc::clone(&EMBEDDED)
    }

    /// Reads one, as build.rs makes it of `plans.yaml`.
    ///
    /// # Errors
    /// When it is not JSON of this shape, or does not hold together.
    pub fn read(json: &str) -> Result<Self, InvalidCatalog> {
        let catalog: Self = serde_json::from_str(json).map_err(|error| InvalidCatalog(error.to_string()))?;
        catalog.products.iter().try_for_each(|(code, product)| {
            product.check().map_err(|why| InvalidCatalog(format!("product {code}: {why}")))
        })?;
        Ok(catalog)
    }

    /// Reads one that a test has made of the file.
    #[cfg(test)]
    pub(crate) fn of_yaml(text: &str) -> Result<Self, InvalidCatalog> {
        let value: serde_json::Value =
            serde_saphyr::from_str(text).map_err(|error| InvalidCatalog(error.to_string()))?;
        Self::read(&value.to_string())
    }

    /// What is sold under this product code.
    pub fn product(&self, code: &str) -> Option<&Product> {
        self.products.get(code)
    }
}

impl Product {
    /// A plan, hidden ones too.
    pub fn plan(&self, code: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.plan_code == code)
    }

    /// The plan that new workspaces are offered first.
    pub fn onboarding_default(&self) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.onboarding_default)
    }

    fn check(&self) -> Result<(), String> {
        let mut codes = BTreeSet::new();
        for plan in &self.plans {
            let code = &plan.plan_code;
            plan.check().map_err(|why| format!("plan {code}: {why}"))?;
            if !codes.insert(code) {
                return Err(format!("plan {code} stands there twice"));
            }
        }
        if self.plans.iter().filter(|plan| plan.onboarding_default).count() > 1 {
            return Err("more than one plan is onboarding_default".to_owned());
        }
        let Payg { currency, microcredits_per_cent, least_cents, most_cents } = &self.payg;
        if !is_currency(currency) {
            return Err("payg: currency must be three small letters".to_owned());
        }
        if *microcredits_per_cent == 0 || *least_cents == 0 || least_cents > most_cents {
            return Err("payg: a cent must buy something, and least_cents be 1 to most_cents".to_owned());
        }
        Ok(())
    }
}

impl Plan {
    /// Whether the payment provider has nothing to do with it.
    pub fn is_free(&self) -> bool {
        self.amount == 0 && !self.hidden
    }

    /// What a change from this plan to another is.
    pub fn change_to(&self, other: &Self) -> Move {
        if self.plan_code == other.plan_code {
            return Move::Stay;
        }
        // A longer interval of the same tier is paid at once, so it begins at once.
        if (other.tier, other.interval) > (self.tier, self.interval) { Move::Up } else { Move::Down }
    }

    fn check(&self) -> Result<(), &'static str> {
        let code = &self.plan_code;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if code.is_empty() || code.len() > 50 || !code.chars().all(plain) {
            return Err("plan_code must be 1 to 50 of a-z, 0-9 and _");
        }
        if self.product_name.trim().is_empty() {
            return Err("product_name is missing");
        }
        if !is_currency(&self.currency) {
            return Err("currency must be three small letters");
        }
        match &self.trial {
            Some(trial) if trial.days == 0 || trial.microcredits == 0 => {
                Err("a trial must have days and microcredits")
            }
            Some(_) if self.amount == 0 || self.hidden => Err("a trial is of a plan that is sold"),
            _ => Ok(()),
        }
    }
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agentruntime() -> Product {
        let catalog =
            Catalog::read(include_str!(concat!(env!("OUT_DIR"), "/plans.json"))).expect("a catalog");
        assert!(catalog.version > 0);
        catalog.product("agentruntime").expect("the product").clone()
    }

    #[test]
    fn the_file_is_read_and_has_the_plans_that_clients_know() {
        let product = agentruntime();
        let codes: Vec<&str> = product.plans.iter().map(|plan| plan.plan_code.as_str()).collect();
        let known = ["free", "pro", "plus", "max", "pro_annual", "plus_annual", "max_annual", "enterprise"];
        assert_eq!(codes, known);
        let pro = product.onboarding_default().expect("a default");
        assert_eq!((pro.plan_code.as_str(), pro.amount), ("pro", 4900));
        let trial = TrialOffer { days: 14, microcredits: 5_000_000, requires_card: false };
        assert_eq!(pro.trial, Some(trial));
        let hidden: Vec<&str> =
            product.plans.iter().filter(|plan| plan.hidden).map(|plan| plan.plan_code.as_str()).collect();
        assert_eq!(hidden, ["enterprise"]);
        assert!(product.plan("free").expect("a plan").is_free());
        for tier in ["pro", "plus", "max"] {
            let (month, year) = (product.plan(tier), product.plan(&format!("{tier}_annual")));
            let (month, year) = (month.expect("by the month"), year.expect("by the year"));
            assert_eq!((year.interval, year.tier), (Interval::Year, month.tier));
            assert!(year.amount < 12 * month.amount, "{tier}: a year costs less than twelve months");
            assert_eq!(year.included_microcredits, month.included_microcredits, "{tier}");
        }
    }

    #[test]
    fn a_higher_tier_or_a_longer_interval_is_an_upgrade() {
        let product = agentruntime();
        for (from, to, change) in [
            ("pro", "pro", Move::Stay),
            ("pro", "plus", Move::Up),
            ("pro", "pro_annual", Move::Up),
            ("pro_annual", "plus", Move::Up),
            ("plus", "pro", Move::Down),
            ("plus", "pro_annual", Move::Down),
            ("pro_annual", "pro", Move::Down),
            ("max", "free", Move::Down),
            ("free", "pro", Move::Up),
        ] {
            let plan = |code| product.plan(code).expect("a plan");
            assert_eq!(plan(from).change_to(plan(to)), change, "{from} to {to}");
        }
    }

    #[test]
    fn a_catalog_that_does_not_hold_together_says_where() {
        let text = include_str!("../../../../plans.yaml");
        for (from, to, why) in [
            ("plan_code: plus,", "plan_code: pro,", "plan pro stands there twice"),
            ("plan_code: plus,", "plan_code: Plus,", "plan Plus: plan_code must be"),
            ("days: 14", "days: 0", "plan pro: a trial must have days"),
            ("payg: { currency: usd", "payg: { currency: USD", "payg: currency must be"),
            ("tier: 2, amount: 14900", "tier: 2, amount: -1", "plans.yaml: "),
            ("hidden: true", "hiden: true", "hiden"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Catalog::of_yaml(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
