//! Who may deliver to an inbound webhook: whatever is wrong with what proves a delivery, it starts nothing, and neither
//! the answer nor the work before it tells which part was wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use it::{Client, TestApp, graph, lua};
use serde_json::json;
use shared::types::clock::Clock;
use shared::types::role::Role;

use crate::webhooks::{BODY, app, nothing_started, runs, standard, subscribed};

#[tokio::test]
async fn whatever_is_wrong_with_a_deliverys_proof_the_answer_is_the_same_and_nothing_is_started() {
    let (app, acme, workflow, sender) = subscribed().await;
    let here = ("acme", "default");
    let now = app.state.clock.now().as_seconds();
    let another = app.member(here, Role::ProjectContributor, &[], None).await;
    another.subscribe(&workflow, json!({})).await;
    let good = sender.sign(BODY);
    let signature = "x-agentruntime-signature";
    let stamped = |at: i64| {
        let signed = sender.sign(&[format!("{at}.").as_bytes(), BODY].concat());
        sender.client.with("x-agentruntime-timestamp", &at.to_string()).with(signature, &signed)
    };
    let bare = app.anyone.clone();
    let again = br#"{"customer_email":"alex@example.com","order_id":"12345"}"#;
    let mut sentences = BTreeSet::new();
    let cases: Vec<(&str, Client, &[u8])> = vec![
        ("no signature", sender.client.clone(), BODY),
        ("an empty signature", sender.client.with(signature, ""), BODY),
        ("a wrong signature", sender.client.with(signature, &sender.sign(b"{}")), BODY),
        ("a signature without its scheme", sender.client.with(signature, &good[7..]), BODY),
        ("a body serialised again", sender.client.with(signature, &good), again),
        ("no token", bare.with(signature, &good), BODY),
        ("garbage for a token", bare.bearer("garbage").with(signature, &good), BODY),
        ("a mistyped token", bare.bearer(&acme.token.replace("pat_", "pat_0")).with(signature, &good), BODY),
        ("another subscription's token", another.client.with(signature, &good), BODY),
        ("a token that nobody issued", bare.bearer(&foreign_token().await).with(signature, &good), BODY),
        ("an old timestamp", stamped(now - 301), BODY),
        ("a future timestamp", stamped(now + 301), BODY),
        (
            "a timestamp that is not signed",
            sender.client.with("x-agentruntime-timestamp", &now.to_string()).with(signature, &good),
            BODY,
        ),
        ("an old standard delivery", standard(&sender, "m", now - 301, BODY), BODY),
        ("a future standard delivery", standard(&sender, "m", now + 301, BODY), BODY),
        ("a standard delivery of another body", standard(&sender, "m", now, again), BODY),
        ("nothing at all", bare.clone(), b""),
    ];
    for (what, client, body) in cases {
        let answer = client.send("POST", &sender.path, body.to_vec()).await;
        assert_eq!(answer.status, 401, "{what}: {:#}", answer.body);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
        sentences.insert(nothing_started(&acme, answer, 401, "UNAUTHENTICATED").await);
    }
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    // In time, each form is accepted.
    stamped(now - 300).send("POST", &sender.path, BODY.to_vec()).await.expect(202);
    standard(&sender, "m", now + 300, BODY).send("POST", &sender.path, BODY.to_vec()).await.expect(202);
}

async fn foreign_token() -> String {
    TestApp::without_worker(Clock::System).await.workspace("acme").await.token
}

#[tokio::test]
async fn a_token_that_expires_ends_its_deliveries_at_once() {
    let (app, acme) = app().await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let end = app.state.clock.now().plus(Duration::from_secs(10));
    let guest = app.member(("acme", "default"), Role::TenantAdmin, &[], Some(end)).await;
    let sender = guest.subscribe(&workflow, json!({})).await;
    sender.deliver(BODY).await.expect(202);
    app.state.clock.advance(Duration::from_secs(10));
    sender.deliver(BODY).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(runs(&acme).await, 1);
}

#[tokio::test]
async fn a_revoked_token_ends_deliveries_in_the_same_words_and_with_the_same_requests() {
    let (app, acme, workflow, _) = subscribed().await;
    let guest = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await;
    let sender = guest.subscribe(&workflow, json!({})).await;
    let revoked = app.stores.dynamodb(&[]).delete_item().table_name(app.stores.table());
    let key = AttributeValue::S(format!("PAT#{}", it::pat_id(&guest.token)));
    revoked.key("pk", key).key("sk", AttributeValue::S("PAT".to_owned())).send().await.unwrap();

    // A process that has nothing in memory; others see it within 45 s.
    let asked = it::Asked::default();
    let state = app.stores.state(app.state.clock.clone(), &[asked.interceptor()]);
    let client = Client::new(local::router(state)).bearer(&guest.token);
    let first = sender.deliver_as(&client, BODY).await;
    let sentence = nothing_started(&acme, first, 401, "UNAUTHENTICATED").await;
    asked.take();
    let wrong = client.send("POST", &sender.path, BODY).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(asked.take(), ["GetItem"]);
    let revoked = sender.deliver_as(&client, BODY).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(asked.take(), ["GetItem"]);
    assert_eq!((&wrong["error"], &revoked["error"]), (&json!(sentence), &json!(sentence)));
}

#[tokio::test]
async fn revoking_a_token_ends_its_deliveries_at_once_where_it_is_revoked() {
    let (app, acme, workflow, _) = subscribed().await;
    let guest = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await;
    let sender = guest.subscribe(&workflow, json!({})).await;
    sender.deliver(BODY).await.expect(202);
    acme.client.delete(&format!("/v1/pats/{}", it::pat_id(&guest.token))).await.expect(204);
    sender.deliver(BODY).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(runs(&acme).await, 1);
}

#[tokio::test]
async fn proofs_that_fail_take_the_same_requests_whichever_part_is_wrong() {
    let (app, acme, _, sender) = subscribed().await;
    let asked = it::Asked::default();
    let state = app.stores.state(app.state.clock.clone(), &[asked.interceptor()]);
    let router = local::router(state);
    let (anyone, owner) = (Client::new(router.clone()), Client::new(router).bearer(&acme.token));
    let foreign = foreign_token().await;
    let good = |client: &Client| client.with("x-agentruntime-signature", &sender.sign(BODY));
    // What is looked up once, and the entry of the log.
    good(&anyone).send("POST", &sender.path, BODY).await.refused(401, "UNAUTHENTICATED");
    let mut counts = BTreeSet::new();
    let secrets = app.stores.secrets.calls();
    for client in [
        owner.clone(),
        owner.with("x-agentruntime-signature", &sender.sign(b"{}")),
        good(&anyone),
        good(&anyone.bearer("garbage")),
        good(&anyone.bearer(&foreign)),
        anyone.clone(),
    ] {
        asked.take();
        client.send("POST", &sender.path, BODY).await.refused(401, "UNAUTHENTICATED");
        counts.insert(asked.take());
    }
    assert_eq!(counts, BTreeSet::from([vec!["GetItem".to_owned()]]), "the subscription, and nothing else");
    assert_eq!(app.stores.secrets.calls(), secrets, "secrets are in memory");
}

#[tokio::test]
async fn an_accepted_delivery_takes_three_requests_and_a_message() {
    let (app, acme, _, sender) = subscribed().await;
    let asked = it::Asked::default();
    let state = app.stores.state(app.state.clock.clone(), &[asked.interceptor()]);
    let client = Client::new(local::router(state)).bearer(&acme.token);
    sender.deliver_as(&client, BODY).await.expect(202);
    let secrets = app.stores.secrets.calls();
    for key in ["", "k"] {
        asked.take();
        let client = if key.is_empty() { client.clone() } else { client.with("idempotency-key", key) };
        sender.deliver_as(&client, BODY).await.expect(202);
        let expected = ["GetItem", "BatchGetItem", "TransactWriteItems", "SendMessage"];
        assert_eq!(asked.take(), expected, "the subscription, the workflow, the run with its receipt");
    }
    assert_eq!(app.stores.secrets.calls(), secrets, "no call of the secret store");
}
