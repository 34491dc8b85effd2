//! Rate limits of tokens: how they are told, and that they pass.

use std::time::Duration;

use it::{Client, TestApp, Workspace};
use shared::AppState;
use shared::services::limits::Limit;
use shared::types::clock::{Clock, Timestamp};

/// An environment that allows a token 2 requests a second, and 4 at once.
async fn slow() -> (TestApp, Clock, Workspace, Client) {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    let state: AppState = app.stores.limited(clock.clone(), Limit::per_second(2));
    let slow = Client::new(local::router(state));
    (app, clock, acme, slow)
}

#[tokio::test]
async fn a_token_that_calls_too_often_is_told_when_to_come_back() {
    let (app, clock, acme, slow) = slow().await;
    let client = slow.bearer(&acme.token);
    for left in ["3", "2", "1", "0"] {
        let answer = client.get("/v1/workflows").await;
        assert_eq!(answer.header("x-ratelimit-limit"), Some("4"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        answer.expect(200);
    }
    let refused = client.get("/v1/workflows").await;
    let headers = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
    assert_eq!(headers.map(|name| refused.header(name)), [Some("4"), Some("0"), Some("2"), Some("1")]);
    refused.refused(429, "RATE_LIMITED");
    // Another token has its own.
    let other = app.member(("acme", "default"), shared::types::role::Role::ProjectViewer, &[], None).await;
    slow.bearer(&other.token).get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_secs(1));
    client.get("/v1/workflows").await.expect(200);
    client.get("/v1/workflows").await.expect(200);
    client.get("/v1/workflows").await.refused(429, "RATE_LIMITED");
}

#[tokio::test]
async fn a_refusal_for_its_rate_is_not_kept_under_an_idempotency_key() {
    let (_app, clock, acme, slow) = slow().await;
    let client = slow.bearer(&acme.token).with("idempotency-key", "k");
    for _ in 0..4 {
        client.get("/v1/workflows").await.expect(200);
    }
    let new = it::workflow("w");
    client.post("/v1/workflows", &new).await.refused(429, "RATE_LIMITED");
    clock.advance(Duration::from_secs(1));
    client.post("/v1/workflows", &new).await.expect(201);
}

#[tokio::test]
async fn a_webhook_has_a_limit_of_its_own_that_only_its_sender_uses_up() {
    let (_app, clock, acme, slow) = slow().await;
    let workflow = acme.publish(&it::graph([it::lua("a", "return {}")])).await;
    let subscribed = acme.subscribe(&workflow, serde_json::json!({ "name": "w" })).await;
    let sender = it::Sender { client: slow.bearer(&acme.token), ..subscribed.clone() };
    let deliver = async |secret: &str| {
        let sender = it::Sender { secret: secret.to_owned(), ..sender.clone() };
        let signature = sender.sign(b"{}");
        sender.client.with("x-agentruntime-signature", &signature).send("POST", &sender.path, "{}").await
    };
    for _ in 0..10 {
        let answer = deliver("whsec_of_somebody_else").await;
        assert_eq!(answer.header("x-ratelimit-limit"), None);
        answer.refused(401, "UNAUTHENTICATED");
    }
    for left in ["3", "2", "1", "0"] {
        let answer = deliver(&subscribed.secret).await;
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        answer.expect(202);
    }
    let refused = deliver(&subscribed.secret).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.refused(429, "RATE_LIMITED");
    clock.advance(Duration::from_secs(1));
    deliver(&subscribed.secret).await.expect(202);
}

#[tokio::test]
async fn open_routes_have_no_limit_and_say_nothing_of_one() {
    let (_app, _, _, slow) = slow().await;
    for _ in 0..20 {
        let answer = slow.get("/v1/health").await;
        assert_eq!(answer.header("x-ratelimit-limit"), None);
        answer.expect(200);
    }
}
