//! Who sends to a subscription and with which secret, as its owner sets it.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::{Hook, Scene};
use crate::webhooks::BODY;

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story, call by call")]
async fn senders_and_their_secrets_can_be_changed() {
    let scene = Scene::new().await;
    let client = &scene.acme.client;
    let secrets = || scene.app.stores.secrets.under("test/").len();
    let hook = scene.hook(json!({})).await;
    let patch = async |change: Value| client.patch(&hook.path, &change).await;
    let patched = patch(json!({ "sender": "github" })).await.expect(200);
    assert_eq!((&patched["sender"], &patched["require_bearer"]), (&json!("github"), &json!(false)));
    hook.send(&hook.github("1", BODY)).await.expect(202);
    let issued = |secret: &str| Hook {
        secret: secret.to_owned(),
        path: hook.path.clone(),
        anyone: hook.anyone.clone(),
    };
    let patched = patch(json!({ "signing_secret": "first issued" })).await.expect(200);
    assert!(!patched.to_string().contains("first issued"));
    let first = issued("first issued");
    hook.send(&hook.github("2", b"{ }")).await.refused(401, "UNAUTHENTICATED");
    first.send(&first.github("2", b"{ }")).await.expect(202);
    assert_eq!(secrets(), 1, "the one before is destroyed");

    // Rotated to one that the sender has issued, with the one before valid for a while.
    let rotate = format!("{}/rotate-secret", hook.path);
    let rotated =
        client.post(&rotate, &json!({ "signing_secret": "second issued", "grace_s": 60 })).await.expect(200);
    assert!(
        rotated.get("signing_secret").is_none() && !rotated.to_string().contains("issued"),
        "{rotated:#}"
    );
    assert_eq!(rotated["previous_valid_until"], "2026-09-21T14:14:20.000Z");
    let second = issued("second issued");
    for (at, sender) in [&first, &second].into_iter().enumerate() {
        let body = format!("{{\"at\":{at}}}");
        sender.send(&sender.github(&body, body.as_bytes())).await.expect(202);
    }
    scene.app.state.clock.advance(Duration::from_secs(60));
    first.send(&first.github("3", b"{  }")).await.refused(401, "UNAUTHENTICATED");
    // GitHub takes ours, too.
    let rotated = client.post(&rotate, &json!({ "grace_s": 0 })).await.expect(200);
    assert!(rotated["signing_secret"].as_str().unwrap().starts_with("whsec_"));
    // Those who issue their own do not.
    for sender in ["slack", "stripe", "shopify", "twilio"] {
        let refused = patch(json!({ "sender": sender })).await.refused(422, "INVALID_REQUEST");
        let named = format!("signing_secret: {sender} issues");
        assert!(refused["error"].as_str().unwrap().starts_with(&named), "{refused:#}");
        assert_eq!(client.get(&hook.path).await.expect(200)["sender"], "github", "nothing has changed");
    }
    patch(json!({ "sender": "slack", "signing_secret": "of slack" })).await.expect(200);
    patch(json!({ "sender": "slack", "name": "same sender" })).await.expect(200);
    let of_slack = issued("of slack");
    of_slack.send(&of_slack.slack(scene.now(), BODY)).await.expect(202);
    let refused = client.post(&rotate, &json!({})).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().starts_with("signing_secret: slack issues"), "{refused:#}");
    client.post(&rotate, &json!({ "signing_secret": "third issued" })).await.expect(200);

    for (change, named) in [
        (json!({ "sender": "gitlab" }), "sender"),
        (json!({ "sender": null, "require_bearer": "no" }), "require_bearer"),
        (json!({ "signing_secret": "short" }), "signing_secret"),
        (json!({ "signing_secret": "with a\nline break" }), "signing_secret"),
        (json!({ "signing_secret": "x".repeat(513) }), "signing_secret"),
        (json!({ "signing_secret": ["12345678"] }), "signing_secret"),
        (json!({ "sender": "stripe", "signing_secret": "sk_live_12345678" }), "signing_secret"),
    ] {
        for answer in [patch(change.clone()).await, scene.create(change.clone()).await] {
            let refused = answer.refused(422, "INVALID_REQUEST");
            assert!(refused["error"].as_str().unwrap().contains(named), "{change}: {refused:#}");
            assert!(!refused.to_string().contains("12345678"), "{refused:#}");
        }
    }
    let patched = patch(json!({ "sender": "generic" })).await.expect(200);
    assert_eq!(patched["require_bearer"], true);
    let patched = patch(json!({ "sender": "github", "require_bearer": true })).await.expect(200);
    assert_eq!(patched["require_bearer"], true);
    // The same again changes nothing.
    assert_eq!(patch(json!({ "sender": "github" })).await.expect(200)["require_bearer"], true);
    client.delete(&hook.path).await.expect(204);
    assert_eq!(secrets(), 0);
}

#[tokio::test]
async fn rows_of_before_senders_require_the_token() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "require_bearer": false })).await;
    let id = hook.path.rsplit('/').next().unwrap();
    let table = scene.app.stores.dynamodb(&[]);
    let key = |text: String| AttributeValue::S(text);
    table
        .update_item()
        .table_name(scene.app.stores.table())
        .key("pk", key("T#acme#P#default#WEBHOOKS".to_owned()))
        .key("sk", key(id.to_owned()))
        .update_expression("REMOVE sender, require_bearer")
        .condition_expression("attribute_exists(sender) AND attribute_exists(require_bearer)")
        .send()
        .await
        .unwrap();
    let view = scene.acme.client.get(&hook.path).await.expect(200);
    assert_eq!((&view["sender"], &view["require_bearer"]), (&json!("generic"), &json!(true)));
    hook.send(&hook.own(BODY)).await.refused(401, "UNAUTHENTICATED");
    hook.send_as(&scene.acme.client, &hook.own(BODY)).await.expect(202);
}
