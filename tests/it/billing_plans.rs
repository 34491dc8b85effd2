//! Plans without a payment provider: the catalog, trials, the free plan, codes; and what a deployment that takes no
//! payments says of the rest.

use std::sync::Arc;
use std::time::Duration;

use it::{StripeStandIn, TestApp, Workspace};
use serde_json::{Value, json};
use shared::billing::plans::{Catalog, PlanSettings};
use shared::types::clock::{Clock, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn clock() -> Clock {
    Clock::manual("2026-11-01T08:00:00Z".parse::<Timestamp>().unwrap())
}

/// What is left in trial, included and bought credits.
pub async fn left(workspace: &Workspace) -> [u64; 3] {
    let usage = workspace.client.get("/v1/billing/usage").await.expect(200);
    ["trial_remaining", "included_remaining", "payg_remaining"].map(|name| usage[name].as_u64().unwrap())
}

/// A deployment whose free plan grants a thousand microcredits a month.
fn generous() -> PlanSettings {
    let text = std::fs::read_to_string(it::repository().join("plans.yaml")).unwrap();
    let text = text.replacen("included_microcredits: 0 }", "included_microcredits: 1000 }", 1);
    let plans: Value = serde_saphyr::from_str(&text).unwrap();
    PlanSettings { catalog: Arc::new(Catalog::read(&plans.to_string()).unwrap()), ..PlanSettings::default() }
}

#[tokio::test]
async fn the_catalog_shows_prices_where_the_deployment_has_set_them() {
    let stripe = StripeStandIn::start(clock()).await;
    let app = TestApp::selling(clock(), &stripe).await;
    let acme = app.workspace("acme").await;
    let plans = acme.client.get("/v1/billing/plans").await.expect(200)["plans"].clone();
    let find = |code: &str| plans.as_array().unwrap().iter().find(|plan| plan["plan_code"] == code).cloned();
    let pro = json!({
        "plan_code": "pro", "stripe_price_id": "price_pro", "amount": 4900, "currency": "usd",
        "interval": "month", "interval_count": 1, "product_name": "AgentRuntime Pro", "trial_enabled": true,
        "trial_requires_card": false, "trial_days": 14, "trial_credits_granted": 5_000_000,
        "onboarding_default": true, "self_serve_onboarding": true
    });
    assert_eq!(find("pro"), Some(pro));
    let free = json!({ "plan_code": "free", "amount": 0, "currency": "usd", "interval": "month",
                       "interval_count": 1, "product_name": "AgentRuntime Free", "trial_enabled": false });
    assert_eq!(find("free"), Some(free));
    assert_eq!(find("plus_annual").unwrap()["interval"], "year");
    assert_eq!(find("enterprise"), None);

    let config = json!({ "enabled": true, "publishable_key": "pk_test_of_the_stand_in" });
    assert_eq!(acme.client.get("/v1/config/stripe").await.expect(200), config);
}

#[tokio::test]
async fn a_deployment_without_a_payment_provider_says_so_where_something_is_to_be_paid() {
    let app = TestApp::without_worker(clock()).await;
    let acme = app.workspace("acme").await;
    for (path, body) in [
        ("subscription", json!({ "plan_code": "pro" })),
        ("subscription/change-plan", json!({ "plan_code": "pro" })),
        ("topups/payg/intent", json!({ "amount_cents": 2000 })),
        ("discounts/validate", json!({ "code": "LAUNCH" })),
        ("stripe-webhook", json!({})),
    ] {
        let answer = acme.client.post(&format!("/v1/billing/{path}"), &body).await;
        answer.refused(503, "BILLING_PROVIDER_NOT_CONFIGURED");
    }
    assert_eq!(acme.client.get("/v1/config/stripe").await.expect(200), json!({ "enabled": false }));
    // Everything else works.
    let plans = acme.client.get("/v1/billing/plans").await.expect(200);
    assert!(plans["plans"].as_array().unwrap().iter().all(|plan| plan["stripe_price_id"].is_null()));
    acme.client.post("/v1/billing/trial", &json!({})).await.expect(200);
    let convert = acme.client.post("/v1/billing/subscription/convert-trial-now", &json!({})).await;
    convert.refused(503, "BILLING_PROVIDER_NOT_CONFIGURED");
    let summary = acme.client.get("/v1/billing/summary").await.expect(200);
    let expected = json!({
        "tenant_id": "acme",
        "plan": { "status": "trialing", "plan_code": "pro", "product_name": "AgentRuntime Pro",
                  "cancel_at_period_end": false, "trial_available": false, "payments_enabled": false,
                  "trial": { "plan_code": "pro", "started_at": "2026-11-01T08:00:00.000Z",
                             "ends_at": "2026-11-15T08:00:00.000Z" } },
        "credits": { "trial_remaining": 5_000_000, "included_remaining": 0, "payg_remaining": 0,
                     "total_remaining_microcredits": 5_000_000 }
    });
    assert_eq!(summary, expected);
    let payments = acme.client.get("/v1/billing/payment-history").await.expect(200);
    assert_eq!(payments, json!({ "payments": [] }));
}

#[tokio::test]
async fn a_trial_is_had_once_and_its_credits_lapse_at_its_end() {
    let app = TestApp::without_worker(clock()).await;
    let acme = app.workspace("acme").await;
    let none = acme.client.get("/v1/billing/status").await.expect(200);
    assert_eq!((&none["status"], &none["trial_available"]), (&json!("none"), &json!(true)));
    let refused = json!({ "plan_code": "plus" });
    acme.client.post("/v1/billing/trial", &refused).await.refused(422, "INVALID_REQUEST");
    acme.client.post("/v1/billing/trial", &json!({ "plan_code": "pro" })).await.expect(200);
    acme.client.post("/v1/billing/trial", &json!({})).await.refused(409, "TRIAL_USED");
    assert_eq!(left(&acme).await, [5_000_000, 0, 0]);
    app.pass(13 * DAY).await;
    assert_eq!(left(&acme).await, [5_000_000, 0, 0]);
    app.pass(DAY).await;
    assert_eq!(left(&acme).await, [0, 0, 0]);
    let status = acme.client.get("/v1/billing/status").await.expect(200);
    assert_eq!(status["status"], "none");
    assert_eq!(status["trial"]["ended_at"], status["trial"]["ends_at"]);
    acme.client.post("/v1/billing/trial", &json!({})).await.refused(409, "TRIAL_USED");
}

#[tokio::test]
async fn the_free_plan_is_granted_each_month_by_the_sweep_once_however_often_it_comes() {
    let app = TestApp::with_plans(clock(), generous()).await;
    let acme = app.workspace("acme").await;
    let take = json!({ "plan_code": "free" });
    for _ in 0..2 {
        let taken = acme.client.post("/v1/billing/subscription", &take).await.expect(200);
        assert_eq!((&taken["status"], &taken["plan_code"]), (&json!("active"), &json!("free")));
    }
    assert_eq!(left(&acme).await, [0, 1_000, 0]);
    // A sweep a day, then two at once, then none for three months.
    for days in [29, 1, 0, 0, 92, 0] {
        app.pass(days * DAY + Duration::from_millis(1)).await;
        assert_eq!(left(&acme).await, [0, 1_000, 0]);
    }
    let grants = app.state.store.list_ledger(&"acme".parse().unwrap(), 100, None, |_| true).await.unwrap();
    let causes: Vec<String> = grants.rows.iter().map(|entry| entry.cause.clone()).collect();
    let granted = causes.iter().filter(|cause| cause.starts_with("free/")).count();
    assert_eq!((granted, causes.len()), (3, 5), "{causes:?}");
    acme.client.post("/v1/billing/subscription/cancel", &json!({})).await.expect(200);
    assert_eq!(left(&acme).await, [0, 0, 0]);
    acme.client.post("/v1/billing/subscription/cancel", &json!({})).await.refused(409, "NO_SUBSCRIPTION");
    // Taking it again grants no month again, only the next one.
    acme.client.post("/v1/billing/subscription", &take).await.expect(200);
    assert_eq!(left(&acme).await, [0, 0, 0]);
    app.pass(31 * DAY).await;
    assert_eq!(left(&acme).await, [0, 1_000, 0]);
}

#[tokio::test]
async fn a_code_grants_once_to_each_workspace_until_it_is_used_up_or_ends() {
    let app = TestApp::without_worker(clock()).await;
    let (acme, other, third) =
        (app.workspace("acme").await, app.workspace("other").await, app.workspace("third").await);
    let new = json!({ "code": "Welcome-26", "microcredits": 7, "max_uses": 2,
                      "expires_at": "2026-12-01T00:00:00.000Z" });
    let made = app.operator().post("/v1/billing/codes", &new).await.expect(201);
    assert_eq!(made["code"], "WELCOME-26");
    app.operator().post("/v1/billing/codes", &new).await.expect(201);
    let another = json!({ "code": "WELCOME-26", "microcredits": 8 });
    app.operator().post("/v1/billing/codes", &another).await.refused(409, "CODE_EXISTS");

    let path = "/v1/billing/codes/apply";
    let first = acme.client.post(path, &json!({ "code": " welcome-26 " })).await.expect(200);
    let expected =
        json!({ "code": "WELCOME-26", "microcredits": 7, "applied_at": "2026-11-01T08:00:00.000Z" });
    assert_eq!(first, expected);
    app.state.clock.advance(DAY);
    let used = json!({ "code": "WELCOME-26" });
    assert_eq!(acme.client.post(path, &used).await.expect(200), first);
    assert_eq!(left(&acme).await, [0, 0, 7]);
    other.client.post(path, &used).await.expect(200);
    third.client.post(path, &used).await.refused(409, "CODE_USED_UP");
    assert_eq!(left(&third).await, [0, 0, 0]);
    third.client.post(path, &json!({ "code": "NOTHING" })).await.refused(404, "CODE_UNKNOWN");
    third.client.post(path, &json!({ "code": "no such" })).await.refused(422, "INVALID_REQUEST");
    app.state.clock.advance(30 * DAY);
    third.client.post(path, &used).await.refused(404, "CODE_UNKNOWN");
    // Who has used it has.
    assert_eq!(acme.client.post(path, &used).await.expect(200), first);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_says_which_field() {
    let stripe = StripeStandIn::start(clock()).await;
    let app = TestApp::selling(clock(), &stripe).await;
    let acme = app.workspace("acme").await;
    for (path, body, field) in [
        ("subscription", json!({}), "plan_code"),
        ("subscription", json!({ "plan_code": "gold" }), "plan_code"),
        ("subscription", json!({ "plan_code": "enterprise" }), "plan_code"),
        ("subscription", json!({ "stripe_price_id": "price_gold" }), "stripe_price_id"),
        ("subscription", json!({ "plan_code": "pro", "stripe_price_id": "price_plus" }), "stripe_price_id"),
        ("subscription", json!({ "plan_code": "pro", "success_url": "javascript:alert(1)" }), "success_url"),
        ("subscription", json!({ "plan_code": "pro", "cancel_url": "http://example.com" }), "cancel_url"),
        ("topups/payg/intent", json!({ "amount_cents": 499 }), "amount_cents"),
        ("topups/payg/intent", json!({ "amount_cents": 2000, "currency": "eur" }), "currency"),
        ("topups/payg/intent", json!({ "amount_cents": 2000, "microcredits": 1 }), "microcredits"),
        ("topups/payg/intent", json!({ "amount_cents": 2000, "idempotency_key": "" }), "idempotency_key"),
    ] {
        let refused = acme.client.post(&format!("/v1/billing/{path}"), &body).await;
        let refused = refused.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().starts_with(&format!("{field}: ")), "{body}: {refused:#}");
    }
    acme.client.get("/v1/billing/payment-history?cursor=LQ").await.refused(422, "INVALID_REQUEST");
    acme.client.post("/v1/billing/subscription/cancel", &json!({})).await.refused(409, "NO_SUBSCRIPTION");
    let convert = acme.client.post("/v1/billing/subscription/convert-trial-now", &json!({})).await;
    convert.refused(409, "NO_TRIAL");
    assert_eq!(stripe.count("cus_"), 0, "nothing was asked of the provider");
    let _: Value = acme.client.get("/v1/billing/status").await.expect(200);
}
