//! Stripe's objects, as far as they are read.

use std::collections::BTreeMap;

use serde::Deserialize;

use billing::payments::{Payment, PaymentKind, PaymentStatus};
use billing::plans::{Plan, PlanSettings};
use billing::subscription::{InvoiceState, Observed, Period, ProviderState};
use types::clock::Timestamp;
use types::{Error, Result};

/// An object, or its id where it was not asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    /// The id.
    Id(String),
    /// The object.
    Object(Box<T>),
}

impl<T> Expandable<T> {
    fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

/// Something of which only the id is read.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    id: String,
}

impl Expandable<Named> {
    /// The id.
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(named) => &named.id,
        }
    }
}

/// A list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// What is in it.
    pub data: Vec<T>,
}

/// A subscription, with its newest invoice and its schedule.
#[derive(Debug, Clone, Deserialize)]
pub struct Subscription {
    id: String,
    customer: Expandable<Named>,
    status: String,
    #[serde(default)]
    cancel_at_period_end: bool,
    // Where versions before the pinned one have them.
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
    items: List<SubscriptionItem>,
    latest_invoice: Option<Expandable<Invoice>>,
    schedule: Option<Expandable<Schedule>>,
}

#[derive(Debug, Clone, Deserialize)]
struct SubscriptionItem {
    id: String,
    price: Named,
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
}

/// What a subscription is going to be.
#[derive(Debug, Clone, Deserialize)]
pub struct Schedule {
    /// Its id.
    pub id: String,
    phases: Vec<Phase>,
}

#[derive(Debug, Clone, Deserialize)]
struct Phase {
    start_date: i64,
    items: Vec<PhaseItem>,
}

#[derive(Debug, Clone, Deserialize)]
struct PhaseItem {
    price: Expandable<Named>,
}

impl Schedule {
    /// When the phase began that this time, in seconds, is in.
    pub fn phase_start(&self, at: i64) -> Option<i64> {
        self.phases.iter().map(|phase| phase.start_date).filter(|start| *start <= at).max()
    }
}

impl Subscription {
    /// Whose it is.
    pub fn customer(&self) -> &str {
        self.customer.id()
    }

    /// Its schedule's id, when it has one.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref().and_then(Expandable::object)
    }

    /// What of it has the price: the id.
    ///
    /// # Errors
    /// Internal when there is none.
    pub fn item(&self) -> Result<&str> {
        self.first().map(|item| item.id.as_str())
    }

    /// Its price's id.
    ///
    /// # Errors
    /// Internal when there is none.
    pub fn price(&self) -> Result<&str> {
        self.first().map(|item| item.price.id.as_str())
    }

    fn first(&self) -> Result<&SubscriptionItem> {
        let empty = || Error::internal(format!("the subscription {} has no price", self.id));
        self.items.data.first().ok_or_else(empty)
    }

    /// The present period.
    ///
    /// # Errors
    /// Internal when there is none.
    pub fn period(&self) -> Result<Period> {
        let item = self.first()?;
        let missing = || Error::internal(format!("the subscription {} has no period", self.id));
        let start = item.current_period_start.or(self.current_period_start).ok_or_else(missing)?;
        let end = item.current_period_end.or(self.current_period_end).ok_or_else(missing)?;
        Ok(Period { start: seconds(start), end: seconds(end) })
    }

    /// As a standing takes it over.
    ///
    /// # Errors
    /// Internal when its price is none of the deployment's.
    pub fn observed<'a>(&'a self, settings: &'a PlanSettings) -> Result<Observed<'a>> {
        let price = self.price()?;
        let unknown = || Error::internal(format!("the price {price} is no plan's; see STRIPE_PRICES"));
        let plan = settings.plan_of_price(price).ok_or_else(unknown)?;
        let invoice = match self.latest_invoice.as_ref().and_then(Expandable::object) {
            Some(invoice) if invoice.status.as_deref() != Some("paid") => InvoiceState::Unpaid,
            _ => InvoiceState::Paid,
        };
        let period = self.period()?;
        Ok(Observed {
            id: &self.id,
            state: self.state(),
            plan,
            period,
            cancel_at_period_end: self.cancel_at_period_end,
            next_plan: self
                .next_plan(settings, period)
                .filter(|next| *next != plan)
                .map(|next| &*next.plan_code),
            invoice,
        })
    }

    fn state(&self) -> ProviderState {
        match self.status.as_str() {
            "trialing" => ProviderState::Trialing,
            "active" => ProviderState::Active,
            "past_due" | "unpaid" | "paused" => ProviderState::PastDue,
            "incomplete" => ProviderState::Incomplete,
            _ => ProviderState::Ended,
        }
    }

    fn next_plan<'a>(&self, settings: &'a PlanSettings, period: Period) -> Option<&'a Plan> {
        let phases = &self.schedule()?.phases;
        let next = phases.iter().find(|phase| seconds(phase.start_date) >= period.end)?;
        settings.plan_of_price(next.items.first()?.price.id())
    }
}

/// An invoice.
#[derive(Debug, Clone, Deserialize)]
pub struct Invoice {
    id: String,
    customer: Option<Expandable<Named>>,
    status: Option<String>,
    #[serde(default)]
    amount_paid: u64,
    #[serde(default)]
    amount_due: u64,
    currency: Option<String>,
    #[serde(default)]
    created: i64,
    hosted_invoice_url: Option<String>,
    // Where versions before the pinned one have it.
    subscription: Option<Expandable<Named>>,
    parent: Option<Parent>,
    lines: Option<List<Line>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Parent {
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Debug, Clone, Deserialize)]
struct SubscriptionDetails {
    subscription: Option<Expandable<Named>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Line {
    price: Option<Named>,
    pricing: Option<Pricing>,
}

#[derive(Debug, Clone, Deserialize)]
struct Pricing {
    price_details: Option<PriceDetails>,
}

#[derive(Debug, Clone, Deserialize)]
struct PriceDetails {
    price: Option<String>,
}

impl Line {
    fn price(&self) -> Option<&str> {
        let new = || self.pricing.as_ref()?.price_details.as_ref()?.price.as_deref();
        self.price.as_ref().map(|price| price.id.as_str()).or_else(new)
    }
}

impl Invoice {
    /// Whose it is.
    pub fn customer(&self) -> Option<&str> {
        self.customer.as_ref().map(Expandable::id)
    }

    /// The subscription that it is for.
    pub fn subscription(&self) -> Option<&str> {
        let new = || self.parent.as_ref()?.subscription_details.as_ref()?.subscription.as_ref();
        self.subscription.as_ref().or_else(new).map(Expandable::id)
    }

    /// As a payment; none while nobody has tried to pay it, or nothing was to be paid.
    pub fn payment(&self, settings: &PlanSettings) -> Option<Payment> {
        let (status, amount_cents) = match self.status.as_deref() {
            Some("paid") => (PaymentStatus::Paid, self.amount_paid),
            Some("open" | "uncollectible") => (PaymentStatus::Failed, self.amount_due),
            _ => return None,
        };
        let lines = self.lines.iter().flat_map(|lines| &lines.data);
        // Of a change the last line is the new plan's.
        let plan = lines.filter_map(|line| settings.plan_of_price(line.price()?)).next_back();
        (amount_cents > 0).then(|| Payment {
            id: self.id.clone(),
            at: seconds(self.created),
            kind: PaymentKind::Subscription,
            status,
            amount_cents,
            currency: self.currency.clone().unwrap_or_default(),
            plan_code: plan.map(|plan| plan.plan_code.clone()),
            microcredits: None,
            invoice_url: self.hosted_invoice_url.clone(),
        })
    }
}

/// A payment of credits.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentIntent {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub customer: Option<Expandable<Named>>,
    /// How far it is.
    pub status: String,
    /// With which a web page goes on with it.
    pub client_secret: Option<String>,
    amount: u64,
    #[serde(default)]
    amount_received: u64,
    currency: String,
    #[serde(default)]
    created: i64,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl PaymentIntent {
    /// The metadata that says how many credits it buys.
    const MICROCREDITS: &'static str = "payg_microcredits";
    /// The field that sets it.
    pub(super) const MICROCREDITS_FIELD: &'static str = "metadata[payg_microcredits]";

    /// The credits that it buys, when it buys any.
    pub fn microcredits(&self) -> Option<u64> {
        self.metadata.get(Self::MICROCREDITS)?.parse().ok()
    }

    /// Whether all of it was paid.
    pub fn is_paid(&self) -> bool {
        self.status == "succeeded" && self.amount_received >= self.amount
    }

    /// As a payment.
    pub fn payment(&self) -> Payment {
        Payment {
            id: self.id.clone(),
            at: seconds(self.created),
            kind: PaymentKind::Topup,
            status: if self.is_paid() { PaymentStatus::Paid } else { PaymentStatus::Failed },
            amount_cents: self.amount,
            currency: self.currency.clone(),
            plan_code: None,
            microcredits: self.microcredits(),
            invoice_url: None,
        }
    }
}

/// A page for paying.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckoutSession {
    /// Its id.
    pub id: String,
    /// Where it is; none when it is over.
    pub url: Option<String>,
    subscription: Option<Expandable<Named>>,
}

impl CheckoutSession {
    /// The subscription that was paid on it.
    pub fn into_subscription(self) -> Option<String> {
        self.subscription.map(|subscription| subscription.id().to_owned())
    }
}

/// A code that makes a plan cheaper.
#[derive(Debug, Clone, Deserialize)]
pub struct PromotionCode {
    /// Its id.
    pub id: String,
    /// What people enter.
    pub code: String,
    /// What it does.
    pub coupon: Coupon,
}

/// What a promotion code does.
#[derive(Debug, Clone, Deserialize)]
pub struct Coupon {
    /// Percent off.
    pub percent_off: Option<f64>,
    /// Cents off.
    pub amount_off: Option<u64>,
    /// Their currency.
    pub currency: Option<String>,
    /// `once`, `repeating` or `forever`.
    pub duration: String,
    /// For how many months, when repeating.
    pub duration_in_months: Option<u32>,
}

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_millis(at.saturating_mul(1000))
}

impl Named {
    /// The id.
    pub fn into_id(self) -> String {
        self.id
    }
}
