//! A stand-in for Stripe: its API on a port of this machine, over an account in memory that lives by the test's clock.
//! It knows what is asked of Stripe here: customers, checkouts, subscriptions with prorations, schedules, renewals and
//! trials, invoices, payments and promotion codes. Calls with an idempotency key are carried out once. The test pays,
//! lets time pass, and delivers events as it likes.

mod account;
mod api;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use serde_json::{Value, json};
use shared::billing::plans::PlanSettings;
use shared::services::billing::signature::sign;
use shared::types::clock::Clock;
use tokio::net::TcpListener;

use crate::client::{Answer, Client};
use account::Account;

/// The secret that its events are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_stand_in";
/// The key that it is called with.
pub const STRIPE_KEY: &str = "sk_test_of_the_stand_in";

/// The name of the deployment's secret.
const SECRET_NAME: &str = "stripe-keys";

/// The stand-in.
#[derive(Debug, Clone)]
pub struct StripeStandIn {
    /// Where it answers.
    pub url: String,
    account: Arc<Mutex<Account>>,
    clock: Clock,
}

impl StripeStandIn {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stripe = Self { url, account: Arc::default(), clock };
        let router = api::router(stripe.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stripe
    }

    /// The settings of a deployment that takes its payments here, with a price for each plan: `price_pro`, …
    pub fn settings(&self) -> PlanSettings {
        let plans = ["pro", "plus", "max", "pro_annual", "plus_annual", "max_annual"];
        PlanSettings {
            prices: plans.iter().map(|plan| ((*plan).to_owned(), format!("price_{plan}"))).collect(),
            stripe_secret: SECRET_NAME.to_owned(),
            stripe_base: self.url.clone(),
            publishable_key: "pk_test_of_the_stand_in".to_owned(),
            return_url: "https://console.example.com/billing".to_owned(),
            ..PlanSettings::default()
        }
    }

    /// The deployment's secret: its name and its value.
    pub fn secret() -> (&'static str, SecretString) {
        let keys = json!({ "secret_key": STRIPE_KEY, "webhook_secrets": [WEBHOOK_SECRET] });
        (SECRET_NAME, keys.to_string().into())
    }

    /// Somebody pays on a checkout's page. Returns the id of the subscription.
    ///
    /// # Panics
    /// When there is no such page, or it is not open.
    pub fn pay_checkout(&self, session: &str) -> String {
        let now = self.now();
        self.account().pay_checkout(session, now)
    }

    /// Somebody pays for credits.
    ///
    /// # Panics
    /// When there is no such payment.
    pub fn pay_intent(&self, intent: &str) {
        let now = self.now();
        self.account().pay_intent(intent, now);
    }

    /// From now on payments fail, or succeed again.
    pub fn decline(&self, declines: bool) {
        self.account().declines = declines;
    }

    /// Periods end, trials end, invoices are paid: everything that time has done.
    pub fn pass(&self) {
        let now = self.now();
        self.account().pass(now);
    }

    /// Tries to collect what is open.
    pub fn collect(&self) {
        let now = self.now();
        self.account().collect(now);
    }

    /// The next so many calls that change something are carried out, and their answers are lost.
    pub fn lose_answers(&self, count: usize) {
        self.account().lost = count;
    }

    /// The next so many calls are refused with 503.
    pub fn fail(&self, count: usize) {
        self.account().failing = count;
    }

    /// What happened since the last time, oldest first.
    pub fn events(&self) -> Vec<Value> {
        std::mem::take(&mut self.account().events)
    }

    /// An object of the account.
    pub fn object(&self, id: &str) -> Value {
        self.account().objects.get(id).cloned().unwrap_or_default()
    }

    /// How many objects there are whose ids begin like this.
    pub fn count(&self, prefix: &str) -> usize {
        self.account().objects.keys().filter(|id| id.starts_with(prefix)).count()
    }

    /// A promotion code that takes so many percent off a first payment.
    pub fn add_promotion(&self, code: &str, percent_off: u32) {
        let coupon = json!({ "percent_off": f64::from(percent_off), "amount_off": null, "currency": null,
                             "duration": "once", "duration_in_months": null });
        let promotion = json!({ "object": "promotion_code", "code": code, "active": true, "coupon": coupon });
        self.account().make("promo_", promotion);
    }

    /// Changes an object behind everybody's back.
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Value)) {
        if let Some(object) = self.account().objects.get_mut(id) {
            change(object);
        }
    }

    /// Delivers an event, signed.
    pub async fn deliver(&self, to: &Client, event: &Value) -> Answer {
        let body = event.to_string();
        let header = sign(&WEBHOOK_SECRET.into(), self.clock.now(), body.as_bytes());
        to.with("stripe-signature", &header).send("POST", "/v1/billing/stripe-webhook", body).await
    }

    /// Delivers everything that has happened.
    ///
    /// # Panics
    /// When an event is not taken.
    pub async fn deliver_all(&self, to: &Client) {
        for event in self.events() {
            self.deliver(to, &event).await.expect(200);
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_seconds()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
