//! A year and a half of a workspace's plans, on a clock that the test moves: trial, conversion, renewals, upgrade,
//! downgrade, a plan by the year, cancellation, the free plan; with bought credits kept throughout and the exact
//! credits at each step. Events come, come late, or do not come at all.

use std::time::Duration;

use it::{StripeStandIn, TestApp, Workspace};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

use crate::billing_plans::left;

struct Year {
    app: TestApp,
    stripe: StripeStandIn,
    acme: Workspace,
}

impl Year {
    async fn begin(day: &str) -> Self {
        let clock = Clock::manual(at(day));
        let stripe = StripeStandIn::start(clock.clone()).await;
        let app = TestApp::selling(clock, &stripe).await;
        let acme = app.workspace("acme").await;
        Self { app, stripe, acme }
    }

    /// Lets it become noon of this day; the provider does what is due, and sweeps come.
    async fn pass_to(&self, day: &str) {
        let clock = &self.app.state.clock;
        clock.advance(at(day).since(clock.now()));
        self.stripe.pass();
        // What is due now is found a moment later.
        let before = clock.now().plus(Duration::from_millis(1));
        for _ in 0..2 {
            shared::worker::sweep(&self.app.state, before).await.expect("a sweep");
        }
    }

    /// The same; the provider's events come, too.
    async fn pass_and_hear(&self, day: &str) {
        self.pass_to(day).await;
        self.stripe.deliver_all(&self.app.anyone).await;
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.acme.client.post(&format!("/v1/billing/{path}"), &body).await;
        answer.expect(200)
    }

    /// Status and plan, and what is left.
    async fn is(&self, status: &str, plan: &str, credits: [u64; 3]) {
        let now = self.app.state.clock.now();
        let shown = self.acme.client.get("/v1/billing/status").await.expect(200);
        assert_eq!(
            (&shown["status"], &shown["plan_code"]),
            (&json!(status), &json!(plan)),
            "{now}: {shown:#}"
        );
        assert_eq!(left(&self.acme).await, credits, "{now}");
    }

    async fn pay_checkout(&self, answer: &Value) {
        self.stripe.pay_checkout(answer["checkout_session_id"].as_str().expect("a checkout"));
        self.stripe.deliver_all(&self.app.anyone).await;
    }
}

fn at(day: &str) -> Timestamp {
    format!("{day}T12:00:00Z").parse().unwrap()
}

const PRO: u64 = 50_000_000;
const PLUS: u64 = 160_000_000;
const BOUGHT: u64 = 20_000_000;
const TRIAL: u64 = 5_000_000;

#[tokio::test]
async fn a_year_of_plans_leaves_exactly_the_credits_that_it_should() {
    let year = Year::begin("2026-01-01").await;
    year.post("trial", json!({})).await;
    year.is("trialing", "pro", [TRIAL, 0, 0]).await;
    let topup =
        json!({ "amount_cents": 2000, "microcredits": BOUGHT, "currency": "usd", "idempotency_key": "t" });
    let intent = year.post("topups/payg/intent", topup).await;
    year.stripe.pay_intent(intent["payment_intent_id"].as_str().unwrap());
    year.stripe.deliver_all(&year.app.anyone).await;
    year.is("trialing", "pro", [TRIAL, 0, BOUGHT]).await;

    // Taken during the trial, the plan is paid from its end; converted, at once.
    year.pass_to("2026-01-08").await;
    let taken = year.post("subscription", json!({ "plan_code": "pro" })).await;
    year.pay_checkout(&taken).await;
    year.is("trialing", "pro", [TRIAL, 0, BOUGHT]).await;
    year.pass_to("2026-01-10").await;
    let converted = year.post("subscription/convert-trial-now", json!({})).await;
    assert_eq!(converted["trial"]["ended_at"], "2026-01-10T12:00:00.000Z");
    year.is("active", "pro", [0, PRO, BOUGHT]).await;

    year.pass_and_hear("2026-02-10").await;
    year.is("active", "pro", [0, PRO, BOUGHT]).await;
    // Half of the period of 28 days is left: half of the difference is granted.
    year.pass_to("2026-02-24").await;
    year.post("subscription/change-plan", json!({ "plan_code": "plus" })).await;
    year.is("active", "plus", [0, PRO + (PLUS - PRO) / 2, BOUGHT]).await;
    year.stripe.deliver_all(&year.app.anyone).await;
    year.is("active", "plus", [0, PRO + (PLUS - PRO) / 2, BOUGHT]).await;
    year.pass_and_hear("2026-03-10").await;
    year.is("active", "plus", [0, PLUS, BOUGHT]).await;

    downgrade_by_the_sweep_alone(&year).await;
    by_the_year(&year).await;
    cancellation(&year).await;
}

async fn downgrade_by_the_sweep_alone(year: &Year) {
    year.pass_to("2026-03-20").await;
    let changed = year.post("subscription/change-plan", json!({ "plan_code": "pro" })).await;
    assert_eq!((&changed["plan_code"], &changed["scheduled_plan_code"]), (&json!("plus"), &json!("pro")));
    year.is("active", "plus", [0, PLUS, BOUGHT]).await;
    // No event comes: the sweep asks.
    year.pass_to("2026-04-10").await;
    year.is("active", "pro", [0, PRO, BOUGHT]).await;
    let late = year.stripe.events();
    year.pass_to("2026-05-10").await;
    year.is("active", "pro", [0, PRO, BOUGHT]).await;
    // And a month late they change nothing.
    for event in late.iter().rev() {
        year.stripe.deliver(&year.app.anyone, event).await.expect(200);
    }
    year.is("active", "pro", [0, PRO, BOUGHT]).await;
    // Nobody looked for two months.
    year.pass_to("2026-07-12").await;
    year.is("active", "pro", [0, PRO, BOUGHT]).await;
}

async fn by_the_year(year: &Year) {
    year.pass_to("2026-07-20").await;
    year.post("subscription/change-plan", json!({ "stripe_price_id": "price_pro_annual" })).await;
    year.is("active", "pro_annual", [0, PRO, BOUGHT]).await;
    let status = year.acme.client.get("/v1/billing/status").await.expect(200);
    assert_eq!(status["current_period_end"], "2027-07-20T12:00:00.000Z");
    for month in ["2026-08-20", "2026-09-20", "2026-10-25", "2026-11-20"] {
        year.pass_and_hear(month).await;
        year.is("active", "pro_annual", [0, PRO, BOUGHT]).await;
    }
    let entries = year.app.state.store.list_ledger(&"acme".parse().unwrap(), 100, None, |_| true).await;
    let causes: Vec<String> = entries.unwrap().rows.into_iter().map(|entry| entry.cause).collect();
    let granted = |cause: &&String| cause.starts_with("sub_") && !cause.contains("upgrade");
    // January, February, March, April, May, July (twice), August to November.
    assert_eq!(causes.iter().filter(granted).count(), 11, "{causes:#?}");
}

async fn cancellation(year: &Year) {
    year.pass_to("2026-12-01").await;
    let canceled = year.post("subscription/cancel", json!({})).await;
    assert_eq!(canceled["cancel_at_period_end"], true);
    year.is("canceling", "pro_annual", [0, PRO, BOUGHT]).await;
    // It is taken up again, and then given up for the free plan.
    year.post("subscription/change-plan", json!({ "plan_code": "pro_annual" })).await;
    year.is("active", "pro_annual", [0, PRO, BOUGHT]).await;
    let free = year.post("subscription/change-plan", json!({ "plan_code": "free" })).await;
    assert_eq!(free["scheduled_plan_code"], "free");
    for month in ["2026-12-20", "2027-03-20", "2027-07-19"] {
        year.pass_and_hear(month).await;
        year.is("canceling", "pro_annual", [0, PRO, BOUGHT]).await;
    }
    year.pass_to("2027-07-20").await;
    year.is("active", "free", [0, 0, BOUGHT]).await;
    year.stripe.deliver_all(&year.app.anyone).await;
    year.is("active", "free", [0, 0, BOUGHT]).await;
    year.acme.client.post("/v1/billing/trial", &json!({})).await.refused(409, "TRIAL_USED");
}

#[tokio::test]
async fn a_trial_that_is_paid_from_its_end_becomes_the_plan_then() {
    let year = Year::begin("2026-01-01").await;
    year.post("trial", json!({})).await;
    let taken = year.post("subscription", json!({ "plan_code": "pro" })).await;
    year.pay_checkout(&taken).await;
    year.pass_to("2026-01-14").await;
    year.is("trialing", "pro", [TRIAL, 0, 0]).await;
    year.pass_to("2026-01-15").await;
    year.is("active", "pro", [0, PRO, 0]).await;
    year.stripe.deliver_all(&year.app.anyone).await;
    year.is("active", "pro", [0, PRO, 0]).await;
}
