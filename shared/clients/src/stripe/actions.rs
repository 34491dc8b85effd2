//! What is asked of Stripe.

use super::client::{Field, Key, Provider};
use super::objects::{
    CheckoutSession, Invoice, List, Named, PaymentIntent, PromotionCode, Schedule, Subscription,
};
use billing::Microcredits;
use billing::subscription::Period;
use types::clock::Timestamp;
use types::ids::TenantId;
use types::{Error, Result};

/// A page for paying a plan.
#[derive(Debug)]
pub struct NewCheckout<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// The plan's price.
    pub price: &'a str,
    /// Where it leads when it is paid.
    pub success_url: &'a str,
    /// Where it leads when it is not.
    pub cancel_url: &'a str,
    /// Nothing is paid before this.
    pub trial_end: Option<Timestamp>,
    /// Nothing is paid for so many days.
    pub trial_days: Option<u32>,
    /// The id of a promotion code.
    pub promotion: Option<&'a str>,
}

/// A payment of credits.
#[derive(Debug)]
pub struct NewTopup<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// How much.
    pub amount_cents: u64,
    /// In which currency.
    pub currency: &'a str,
    /// For how many.
    pub microcredits: Microcredits,
}

fn gone(what: &str) -> Error {
    Error::internal(format!("Stripe does not know {what}"))
}

impl Provider<'_> {
    fn marks(&self, tenant: &TenantId) -> Vec<Field<'static>> {
        vec![
            ("metadata[tenant_id]", tenant.to_string()),
            ("metadata[product_code]", self.plans.product_code.clone()),
        ]
    }

    /// Makes a customer, and returns its id.
    ///
    /// # Errors
    /// When Stripe does not answer or refuses.
    pub async fn create_customer(&self, tenant: &TenantId, key: &Key) -> Result<String> {
        let mut fields = self.marks(tenant);
        fields.push(("name", tenant.to_string()));
        let made: Option<Named> = self.post("/v1/customers", &fields, key).await?;
        made.map(Named::into_id).ok_or_else(|| gone("customers"))
    }

    /// Makes a page for paying.
    ///
    /// # Errors
    /// When Stripe does not answer or refuses.
    pub async fn create_checkout(
        &self,
        tenant: &TenantId,
        new: &NewCheckout<'_>,
        key: &Key,
    ) -> Result<CheckoutSession> {
        let mut fields = vec![
            ("mode", "subscription".to_owned()),
            ("customer", new.customer.to_owned()),
            ("client_reference_id", tenant.to_string()),
            ("line_items[0][price]", new.price.to_owned()),
            ("line_items[0][quantity]", "1".to_owned()),
            ("success_url", new.success_url.to_owned()),
            ("cancel_url", new.cancel_url.to_owned()),
            ("subscription_data[metadata][tenant_id]", tenant.to_string()),
        ];
        if let Some(end) = new.trial_end {
            fields.push(("subscription_data[trial_end]", end.as_seconds().to_string()));
        }
        if let Some(days) = new.trial_days {
            fields.push(("subscription_data[trial_period_days]", days.to_string()));
        }
        if let Some(promotion) = new.promotion {
            fields.push(("discounts[0][promotion_code]", promotion.to_owned()));
        }
        let made = self.post("/v1/checkout/sessions", &fields, key).await?;
        made.ok_or_else(|| gone("checkouts"))
    }

    /// Ends a page for paying, and tells what has been paid on it, if anything has.
    ///
    /// # Errors
    /// When Stripe does not answer.
    pub async fn close_checkout(&self, id: &str, key: &Key) -> Result<Option<String>> {
        let path = format!("/v1/checkout/sessions/{id}");
        match self.post::<CheckoutSession>(&format!("{path}/expire"), &[], key).await {
            // It was paid, or its time was over.
            Err(error) if super::is_final(&error) => {
                let session: Option<CheckoutSession> = self.get(&path, &[]).await?;
                Ok(session.and_then(CheckoutSession::into_subscription))
            }
            ended => ended.map(|_| None),
        }
    }

    /// A subscription with its newest invoice and its schedule; none when there is none.
    ///
    /// # Errors
    /// When Stripe does not answer.
    pub async fn subscription(&self, id: &str) -> Result<Option<Subscription>> {
        let expand = |what: &str| ("expand[]", what.to_owned());
        self.get(&format!("/v1/subscriptions/{id}"), &[expand("latest_invoice"), expand("schedule")]).await
    }

    /// Changes a subscription's price at once; what was paid for the old one is deducted, and the rest is paid now.
    ///
    /// # Errors
    /// `PAYMENT_DECLINED` when it is not paid: nothing is changed then. When Stripe does not answer or refuses.
    pub async fn change_price(&self, id: &str, item: &str, price: &str, key: &Key) -> Result<()> {
        let fields = [
            ("items[0][id]", item.to_owned()),
            ("items[0][price]", price.to_owned()),
            ("proration_behavior", "always_invoice".to_owned()),
            ("payment_behavior", "error_if_incomplete".to_owned()),
        ];
        self.update(id, &fields, key).await
    }

    /// Lets a subscription end with its period, or go on.
    ///
    /// # Errors
    /// When Stripe does not answer or refuses.
    pub async fn cancel_at_period_end(&self, id: &str, ends: bool, key: &Key) -> Result<()> {
        self.update(id, &[("cancel_at_period_end", ends.to_string())], key).await
    }

    /// Ends a subscription's trial: it is paid from now on.
    ///
    /// # Errors
    /// `PAYMENT_DECLINED` when it is not paid: the trial goes on then. When Stripe does not answer or refuses.
    pub async fn end_trial(&self, id: &str, key: &Key) -> Result<()> {
        let fields =
            [("trial_end", "now".to_owned()), ("payment_behavior", "error_if_incomplete".to_owned())];
        self.update(id, &fields, key).await
    }

    async fn update(&self, id: &str, fields: &[Field<'_>], key: &Key) -> Result<()> {
        let changed: Option<Named> = self.post(&format!("/v1/subscriptions/{id}"), fields, key).await?;
        changed.map(|_| ()).ok_or_else(|| gone("the subscription"))
    }

    /// Lets a subscription go on with another price after this period.
    ///
    /// # Errors
    /// When Stripe does not answer or refuses.
    pub async fn schedule_price(
        &self,
        id: &str,
        subscription: &Subscription,
        price: &str,
        key: &Key,
    ) -> Result<()> {
        let period: Period = subscription.period()?;
        let made = match subscription.schedule() {
            Some(schedule) => Some(schedule.clone()),
            None => {
                let from = [("from_subscription", id.to_owned())];
                self.post::<Schedule>("/v1/subscription_schedules", &from, key).await?
            }
        };
        let schedule = made.ok_or_else(|| gone("the schedule"))?;
        let start = period.start.as_seconds();
        let start = schedule.phase_start(start).unwrap_or(start);
        let fields = [
            ("end_behavior", "release".to_owned()),
            ("proration_behavior", "none".to_owned()),
            ("phases[0][items][0][price]", subscription.price()?.to_owned()),
            ("phases[0][items][0][quantity]", "1".to_owned()),
            ("phases[0][start_date]", start.to_string()),
            ("phases[0][end_date]", period.end.as_seconds().to_string()),
            ("phases[1][items][0][price]", price.to_owned()),
            ("phases[1][items][0][quantity]", "1".to_owned()),
            ("phases[1][iterations]", "1".to_owned()),
        ];
        let path = format!("/v1/subscription_schedules/{}", schedule.id);
        self.post::<Named>(&path, &fields, key).await?.map(|_| ()).ok_or_else(|| gone("the schedule"))
    }

    /// Lets a subscription go on as it is, without a schedule.
    ///
    /// # Errors
    /// When Stripe does not answer or refuses.
    pub async fn release(&self, schedule: &Schedule, key: &Key) -> Result<()> {
        let path = format!("/v1/subscription_schedules/{}/release", schedule.id);
        self.post::<Named>(&path, &[], key).await.map(|_| ())
    }

    /// Makes a payment of credits, which a web page goes on with.
    ///
    /// # Errors
    /// When Stripe does not answer or refuses.
    pub async fn create_payment(
        &self,
        tenant: &TenantId,
        new: &NewTopup<'_>,
        key: &Key,
    ) -> Result<PaymentIntent> {
        let mut fields = self.marks(tenant);
        fields.extend([
            ("amount", new.amount_cents.to_string()),
            ("currency", new.currency.to_owned()),
            ("customer", new.customer.to_owned()),
            ("automatic_payment_methods[enabled]", "true".to_owned()),
            (PaymentIntent::MICROCREDITS_FIELD, new.microcredits.to_string()),
        ]);
        let made = self.post("/v1/payment_intents", &fields, key).await?;
        made.ok_or_else(|| gone("payments"))
    }

    /// A payment of credits; none when there is none.
    ///
    /// # Errors
    /// When Stripe does not answer.
    pub async fn payment(&self, id: &str) -> Result<Option<PaymentIntent>> {
        self.get(&format!("/v1/payment_intents/{id}"), &[]).await
    }

    /// An invoice; none when there is none.
    ///
    /// # Errors
    /// When Stripe does not answer.
    pub async fn invoice(&self, id: &str) -> Result<Option<Invoice>> {
        self.get(&format!("/v1/invoices/{id}"), &[]).await
    }

    /// The promotion code that people enter as `code`, when it can be used.
    ///
    /// # Errors
    /// When Stripe does not answer.
    pub async fn promotion(&self, code: &str) -> Result<Option<PromotionCode>> {
        let fields = [("code", code.to_owned()), ("active", "true".to_owned()), ("limit", "1".to_owned())];
        let found: Option<List<PromotionCode>> = self.get("/v1/promotion_codes", &fields).await?;
        Ok(found.and_then(|list| list.data.into_iter().next()))
    }
}
