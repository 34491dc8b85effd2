//! Payments, against a stand-in for Stripe at the HTTP boundary: from a checkout to credits by events, and events that
//! are forged, come twice, late, out of order or name what is another's. Calls fail and processes die on the way.

use std::time::Duration;

use it::{Client, Fault, Faults, StripeStandIn, TestApp, WatchedBody, Workspace};
use serde_json::{Value, json};
use shared::services::billing::signature::sign;
use shared::types::clock::{Clock, Timestamp};

use crate::billing_plans::left;

const PRO: u64 = 50_000_000;
const PLUS: u64 = 160_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Shop {
    app: TestApp,
    stripe: StripeStandIn,
    acme: Workspace,
}

impl Shop {
    async fn open() -> Self {
        let clock = Clock::manual("2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap());
        let stripe = StripeStandIn::start(clock.clone()).await;
        let app = TestApp::selling(clock, &stripe).await;
        let acme = app.workspace("acme").await;
        Self { app, stripe, acme }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        post(&self.acme, path, body).await
    }

    /// Pays for a plan; its events are still to come. Returns the id of the subscription.
    async fn pays(&self, workspace: &Workspace, plan: &str) -> String {
        let taken = post(workspace, "subscription", json!({ "plan_code": plan })).await;
        self.stripe.pay_checkout(taken["checkout_session_id"].as_str().unwrap())
    }

    async fn subscribed(&self, plan: &str) -> String {
        let id = self.pays(&self.acme, plan).await;
        self.stripe.deliver_all(&self.app.anyone).await;
        id
    }

    async fn status(&self) -> Value {
        self.acme.client.get("/v1/billing/status").await.expect(200)
    }

    async fn payments(&self) -> Vec<Value> {
        let listed = self.acme.client.get("/v1/billing/payment-history").await.expect(200);
        listed["payments"].as_array().unwrap().clone()
    }

    /// Lets time pass; the provider does what is due, and nobody hears of it.
    fn pass(&self, time: Duration) {
        self.app.state.clock.advance(time);
        self.stripe.pass();
    }
}

async fn post(workspace: &Workspace, path: &str, body: Value) -> Value {
    workspace.client.post(&format!("/v1/billing/{path}"), &body).await.expect(200)
}

#[tokio::test]
async fn a_checkout_becomes_a_plan_by_the_providers_events_however_often_they_come() {
    let shop = Shop::open().await;
    let taken = shop.post("subscription", json!({ "stripe_price_id": "price_pro" })).await;
    assert_eq!((&taken["status"], &taken["plan_code"]), (&json!("none"), &Value::Null));
    let session = taken["checkout_session_id"].as_str().unwrap();
    assert_eq!(taken["checkout_url"], format!("https://checkout.stripe.com/c/pay/{session}"));
    let asked = shop.stripe.object(session);
    assert_eq!(asked["success_url"], "https://console.example.com/billing");
    assert_eq!(asked["subscription_metadata"], json!({ "tenant_id": "acme" }));
    assert_eq!(left(&shop.acme).await, [0, 0, 0]);

    shop.stripe.pay_checkout(session);
    let events = shop.stripe.events();
    for event in events.iter().chain(&events) {
        shop.stripe.deliver(&shop.app.anyone, event).await.expect(200);
        assert_eq!(left(&shop.acme).await, [0, PRO, 0], "{event:#}");
    }
    let expected = json!({
        "status": "active", "plan_code": "pro", "product_name": "AgentRuntime Pro",
        "current_period_start": "2026-11-01T12:00:00.000Z", "current_period_end": "2026-12-01T12:00:00.000Z",
        "cancel_at_period_end": false, "trial_available": false, "payments_enabled": true
    });
    assert_eq!(shop.status().await, expected);
    let payments = shop.payments().await;
    let id = payments[0]["id"].clone();
    let paid = json!([{ "id": id, "at": "2026-11-01T12:00:00.000Z", "kind": "subscription", "status": "paid",
                        "amount_cents": 4900, "currency": "usd", "plan_code": "pro",
                        "invoice_url": "https://invoice.stripe.com/i/test" }]);
    assert_eq!(Value::from(payments), paid);
    let again = shop.acme.client.post("/v1/billing/subscription", &json!({ "plan_code": "plus" })).await;
    again.refused(409, "ALREADY_SUBSCRIBED");
}

#[tokio::test]
async fn forged_events_are_refused_and_change_nothing() {
    let shop = Shop::open().await;
    shop.pays(&shop.acme, "pro").await;
    let (event, now) = (shop.stripe.events().remove(0), shop.app.state.clock.now());
    let body = event.to_string();
    let signed = |secret: &str, at| sign(&secret.into(), at, body.as_bytes());
    let good = signed("whsec_of_the_stand_in", now);
    let send = async |header: Option<&str>, body: String| {
        let client = match header {
            Some(header) => shop.app.anyone.with("stripe-signature", header),
            None => shop.app.anyone.clone(),
        };
        client.send("POST", "/v1/billing/stripe-webhook", body).await
    };
    let old = signed("whsec_of_the_stand_in", now.minus(Duration::from_secs(301)));
    let words = send(None, body.clone()).await.refused(400, "INVALID_SIGNATURE")["error"].clone();
    for (header, body) in [
        (signed("whsec_of_somebody", now), body.clone()),
        (good.clone(), body.replace("\"created\":", "\"created\": ")),
        (good.replace("v1=", "v0="), body.clone()),
        (good.replacen('t', "x", 1), body.clone()),
        (old, body.clone()),
        ("garbage".to_owned(), body.clone()),
    ] {
        let refused = send(Some(&header), body).await.refused(400, "INVALID_SIGNATURE");
        assert_eq!(refused["error"], words, "{header}");
    }
    assert_eq!(left(&shop.acme).await, [0, 0, 0]);
    assert_eq!(shop.status().await["status"], "none");
    // Nothing is read of an event whose head shows already that it is none.
    for header in [
        "garbage",
        &good.replace("v1=", "v0="),
        &signed("whsec_of_the_stand_in", now.minus(Duration::from_secs(301))),
    ] {
        let body = WatchedBody::default();
        let client = shop.app.anyone.with("stripe-signature", header);
        let sent = client.send("POST", "/v1/billing/stripe-webhook", &body).await;
        assert_eq!(sent.refused(400, "INVALID_SIGNATURE")["error"], words, "{header}");
        assert!(!body.was_asked_for(), "{header}");
    }
    let both = format!("{good},v1={}", "0".repeat(64));
    send(Some(&both), body.clone()).await.expect(200);
    assert_eq!(left(&shop.acme).await, [0, PRO, 0]);
    let not_json = sign(&"whsec_of_the_stand_in".into(), now, b"{}");
    send(Some(&not_json), "{}".to_owned()).await.refused(400, "UNREADABLE");
}

#[tokio::test]
async fn events_in_any_order_lead_to_the_same() {
    let shop = Shop::open().await;
    let id = shop.pays(&shop.acme, "pro").await;
    shop.pass(40 * DAY);
    shop.stripe.edit(&id, |subscription| subscription["cancel_at_period_end"] = json!(true));
    let mut events = shop.stripe.events();
    assert!(events.len() >= 5, "{events:#?}");
    events.reverse();
    for event in &events {
        shop.stripe.deliver(&shop.app.anyone, event).await.expect(200);
        assert_eq!(left(&shop.acme).await, [0, PRO, 0]);
        assert_eq!(shop.status().await["status"], "canceling");
    }
    // Both months were paid, and the first one's credits have lapsed before anybody heard of them.
    assert_eq!(shop.payments().await.len(), 2);
    shop.pass(30 * DAY);
    events.extend(shop.stripe.events());
    // What was told of its life comes after its end.
    events.reverse();
    for event in &events {
        shop.stripe.deliver(&shop.app.anyone, event).await.expect(200);
        assert_eq!(left(&shop.acme).await, [0, 0, 0]);
        assert_eq!(shop.status().await["status"], "canceled");
    }
}

#[tokio::test]
async fn an_event_that_names_anothers_things_changes_nothing() {
    let shop = Shop::open().await;
    let other = shop.app.workspace("other").await;
    let own = shop.subscribed("pro").await;
    let theirs = shop.pays(&other, "max").await;
    shop.stripe.deliver_all(&shop.app.anyone).await;
    let customer = shop.stripe.object(&own)["customer"].clone();
    let before = (shop.status().await, left(&shop.acme).await, left(&other).await);
    let event = |kind: &str, object: Value| json!({ "id": "evt_x", "object": "event", "type": kind, "data": { "object": object } });
    for event in [
        // Signed, as from somebody who has the secret of events and nothing else.
        event("customer.subscription.updated", json!({ "id": theirs, "customer": customer })),
        event(
            "checkout.session.completed",
            json!({ "id": "cs_x", "subscription": theirs, "customer": customer }),
        ),
        event("customer.subscription.deleted", json!({ "id": own, "customer": "cus_nobody" })),
        event("customer.subscription.deleted", json!({ "id": "sub_nothing", "customer": customer })),
        event(
            "payment_intent.succeeded",
            json!({ "id": "pi_nothing", "customer": customer,
              "metadata": { "payg_microcredits": "1000000000" } }),
        ),
        event("invoice.paid", json!({ "id": "in_nothing", "customer": customer })),
        event("charge.refunded", json!({ "id": "ch_1", "customer": customer })),
    ] {
        shop.stripe.deliver(&shop.app.anyone, &event).await.expect(200);
        let after = (shop.status().await, left(&shop.acme).await, left(&other).await);
        assert_eq!(after, before, "{event:#}");
    }
}

#[tokio::test]
async fn bought_credits_are_there_when_they_are_paid_and_once() {
    let shop = Shop::open().await;
    let body = json!({ "amount_cents": 2000, "microcredits": 20_000_000, "currency": "usd",
                       "idempotency_key": "first" });
    let intent = shop.post("topups/payg/intent", body.clone()).await;
    let id = intent["payment_intent_id"].as_str().unwrap();
    let expected = json!({ "payment_intent_id": id, "client_secret": "pi_secret_of_the_stand_in",
                           "amount_cents": 2000, "microcredits": 20_000_000, "currency": "usd",
                           "status": "requires_payment_method" });
    assert_eq!(intent, expected);
    // The same key is the same payment, and no other.
    assert_eq!(shop.post("topups/payg/intent", body).await, intent);
    let more = json!({ "amount_cents": 3000, "idempotency_key": "first" });
    let refused = shop.acme.client.post("/v1/billing/topups/payg/intent", &more).await;
    refused.refused(409, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!((shop.stripe.count("pi_"), shop.stripe.count("cus_")), (1, 1));

    shop.stripe.decline(true);
    shop.stripe.pay_intent(id);
    shop.stripe.deliver_all(&shop.app.anyone).await;
    assert_eq!(left(&shop.acme).await, [0, 0, 0]);
    assert_eq!(shop.payments().await[0]["status"], "failed");
    shop.stripe.decline(false);
    shop.stripe.pay_intent(id);
    let paid = shop.stripe.events().remove(0);
    for _ in 0..2 {
        shop.stripe.deliver(&shop.app.anyone, &paid).await.expect(200);
        assert_eq!(left(&shop.acme).await, [0, 0, 20_000_000]);
    }
    let payments = shop.payments().await;
    assert_eq!((payments.len(), &payments[0]["status"]), (1, &json!("paid")));
    assert_eq!(payments[0]["microcredits"], 20_000_000);
}

#[tokio::test]
async fn a_payment_that_is_declined_changes_nothing_and_a_renewal_that_fails_is_made_good() {
    let shop = Shop::open().await;
    shop.subscribed("pro").await;
    shop.stripe.decline(true);
    let change = json!({ "plan_code": "plus" });
    let path = "/v1/billing/subscription/change-plan";
    let refused = shop.acme.client.post(path, &change).await.refused(402, "PAYMENT_DECLINED");
    assert_eq!(refused["error"], "The payment was declined: Your card was declined.");
    assert_eq!(left(&shop.acme).await, [0, PRO, 0]);
    assert_eq!(shop.status().await["plan_code"], "pro");

    shop.pass(31 * DAY);
    shared::worker::sweep(&shop.app.state, shop.app.state.clock.now()).await.unwrap();
    assert_eq!(shop.status().await["status"], "past_due");
    assert_eq!(left(&shop.acme).await, [0, 0, 0]);
    shop.acme.client.post(path, &change).await.refused(409, "PAYMENT_DUE");
    shop.stripe.deliver_all(&shop.app.anyone).await;
    assert_eq!(shop.payments().await[0]["status"], "failed");
    // Somebody enters another card.
    shop.stripe.decline(false);
    shop.stripe.collect();
    shop.stripe.deliver_all(&shop.app.anyone).await;
    assert_eq!(shop.status().await["status"], "active");
    assert_eq!(left(&shop.acme).await, [0, PRO, 0]);
    assert_eq!(shop.payments().await[0]["status"], "paid");
    // The same change that was refused is another call now.
    let changed = shop.acme.client.post(path, &change).await.expect(200);
    assert_eq!(changed["plan_code"], "plus");
}

#[tokio::test]
async fn of_two_checkouts_one_can_be_paid() {
    let shop = Shop::open().await;
    let first = shop.post("subscription", json!({ "plan_code": "pro" })).await;
    let second = shop.post("subscription", json!({ "plan_code": "plus" })).await;
    let id = |answer: &Value| answer["checkout_session_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.stripe.object(&id(&first))["status"], "expired");
    shop.stripe.pay_checkout(&id(&second));
    // It was paid, and nobody has heard of it yet.
    shop.stripe.events();
    let third = shop.acme.client.post("/v1/billing/subscription", &json!({ "plan_code": "max" })).await;
    third.refused(409, "ALREADY_SUBSCRIBED");
    assert_eq!(shop.status().await["plan_code"], "plus");
    assert_eq!(left(&shop.acme).await, [0, PLUS, 0]);
}

#[tokio::test]
async fn a_discount_is_looked_up_and_taken_off_a_checkout() {
    let shop = Shop::open().await;
    shop.stripe.add_promotion("LAUNCH20", 20);
    let looked = shop.post("discounts/validate", json!({ "code": "LAUNCH20" })).await;
    let expected = json!({ "code": "LAUNCH20", "valid": true, "percent_off": 20.0, "duration": "once" });
    assert_eq!(looked, expected);
    let unknown = shop.post("discounts/validate", json!({ "code": "GONE" })).await;
    assert_eq!(unknown, json!({ "code": "GONE", "valid": false }));
    let body = json!({ "plan_code": "pro", "discount_code": "GONE" });
    shop.acme.client.post("/v1/billing/subscription", &body).await.refused(422, "DISCOUNT_UNKNOWN");
    let body = json!({ "plan_code": "pro", "discount_code": "LAUNCH20" });
    let taken = shop.post("subscription", body).await;
    shop.stripe.pay_checkout(taken["checkout_session_id"].as_str().unwrap());
    shop.stripe.deliver_all(&shop.app.anyone).await;
    assert_eq!(shop.payments().await[0]["amount_cents"], 3920);
    assert_eq!(left(&shop.acme).await, [0, PRO, 0]);
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_made_once() {
    let shop = Shop::open().await;
    shop.stripe.lose_answers(2);
    let id = shop.pays(&shop.acme, "pro").await;
    assert_eq!((shop.stripe.count("cus_"), shop.stripe.count("cs_")), (1, 1));
    shop.stripe.deliver_all(&shop.app.anyone).await;
    let before = shop.stripe.count("in_");
    shop.stripe.lose_answers(1);
    shop.post("subscription/change-plan", json!({ "plan_code": "plus" })).await;
    assert_eq!(shop.stripe.count("in_"), before + 1, "paid once");
    shop.stripe.lose_answers(2);
    let changed = shop.post("subscription/change-plan", json!({ "plan_code": "pro" })).await;
    assert_eq!(changed["scheduled_plan_code"], "pro");
    assert_eq!(shop.stripe.count("sub_sched_"), 1);
    assert_eq!(shop.stripe.object(&id)["items"]["data"][0]["price"]["id"], "price_plus");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_503_and_the_sweep_asks_again_later() {
    let shop = Shop::open().await;
    shop.subscribed("pro").await;
    shop.stripe.fail(4);
    let answer = shop.acme.client.post("/v1/billing/subscription/cancel", &json!({})).await;
    answer.refused(503, "DEPENDENCY_UNAVAILABLE");
    shop.pass(30 * DAY + MINUTE);
    shop.stripe.fail(4);
    shared::worker::sweep(&shop.app.state, shop.app.state.clock.now())
        .await
        .expect("others are swept all the same");
    assert_eq!(shop.status().await["current_period_end"], "2026-12-01T12:00:00.000Z");
    shop.pass(31 * MINUTE);
    shared::worker::sweep(&shop.app.state, shop.app.state.clock.now()).await.unwrap();
    assert_eq!(shop.status().await["current_period_end"], "2027-01-01T12:00:00.000Z");
    assert_eq!(left(&shop.acme).await, [0, PRO, 0]);
}

/// A process of the shop's whose call of a store of this number fails.
fn process(shop: &Shop, faults: &Faults) -> Client {
    let clock = shop.app.state.clock.clone();
    Client::new(local::router(shop.app.stores.selling(clock, shop.stripe.settings(), faults)))
}

/// Every call of a store fails in every way while the first events of a checkout are taken; they come again.
#[tokio::test]
async fn events_that_are_taken_while_stores_fail_grant_once() {
    for fault in Fault::ways() {
        for call in 0.. {
            let shop = Shop::open().await;
            shop.pays(&shop.acme, "pro").await;
            let faults = Faults::at(call, fault);
            let faulty = process(&shop, &faults);
            let events = shop.stripe.events();
            for event in &events {
                let _ = shop.stripe.deliver(&faulty, event).await;
            }
            for event in &events {
                shop.stripe.deliver(&shop.app.anyone, event).await.expect(200);
            }
            let what = format!("call {call} / {fault:?}");
            assert_eq!(left(&shop.acme).await, [0, PRO, 0], "{what}");
            assert_eq!(shop.status().await["status"], "active", "{what}");
            assert_eq!(shop.payments().await.len(), 1, "{what}");
            if faults.calls() <= call {
                assert!(call > 5, "{what}");
                break;
            }
        }
    }
}

/// The same for a change of plan and for the sweep: whoever asks again finds what is done, and the sweep does the rest.
#[tokio::test]
async fn changes_that_die_on_the_way_are_made_good() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        for call in 0.. {
            let shop = Shop::open().await;
            shop.subscribed("pro").await;
            shop.app.state.clock.advance(15 * DAY);
            let faults = Faults::at(call, fault);
            let acme = process(&shop, &faults).bearer(&shop.acme.token);
            let change = json!({ "plan_code": "plus" });
            let _ = acme.post("/v1/billing/subscription/change-plan", &change).await;
            let what = format!("call {call} / {fault:?}");
            let calls = faults.calls();
            shop.app.state.clock.advance(MINUTE);
            let changed = shop.post("subscription/change-plan", change).await;
            assert_eq!(changed["plan_code"], "plus", "{what}");
            // Half of the month is left, or a minute less when the first one came to nothing.
            let [_, included, _] = left(&shop.acme).await;
            let half = PRO + (PLUS - PRO) / 2;
            assert!((half - 3_000..=half).contains(&included), "{what}: {included}");
            assert_eq!(shop.stripe.count("in_"), 2, "{what}: paid once");
            // A renewal that dies on the way is finished by another sweep.
            shop.pass(16 * DAY);
            let dying = Faults::at(call, fault);
            let clock = shop.app.state.clock.clone();
            let state = shop.app.stores.selling(clock.clone(), shop.stripe.settings(), &dying);
            let _ = shared::worker::sweep(&state, clock.now()).await;
            shop.app.state.clock.advance(31 * MINUTE);
            shared::worker::sweep(&shop.app.state, clock.now()).await.unwrap();
            assert_eq!(left(&shop.acme).await, [0, PLUS, 0], "{what}");
            if calls.max(dying.calls()) <= call {
                assert!(call > 5, "{what}");
                break;
            }
        }
    }
}
