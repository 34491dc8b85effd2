//! What each sender signs, and what its deliveries are known by.

use std::time::Duration;

use it::Workspace;
use serde_json::{Value, json};
use shared::types::role::Role;
use shared::types::scope::Scope;

use super::{FORM, Hook, Scene, Sent, forged};
use crate::webhooks::{BODY, runs};

#[tokio::test]
async fn each_preset_takes_what_its_sender_signs() {
    let scene = Scene::new().await;
    let event = json!({ "id": "evt_1", "event_id": "Ev1", "number": 12_345 });
    let body = event.to_string().into_bytes();
    for (sender, secret) in [
        ("github", "It's a Secret to Everybody"),
        ("stripe", "whsec_12345678901234567890"),
        ("slack", "8f742231b10e8888abcd99yyyzzz85a5"),
        ("shopify", "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"),
        ("twilio", "0123456789abcdef0123456789abcdef"),
    ] {
        let new = json!({ "sender": sender, "signing_secret": format!(" {secret}\n") });
        let made = scene.create(new).await.expect(201);
        assert!(made.get("signing_secret").is_none(), "{made:#}");
        let subscription = &made["subscription"];
        assert_eq!(
            (&subscription["sender"], &subscription["require_bearer"]),
            (&json!(sender), &json!(false))
        );
        let path = made["ingress_path"].as_str().unwrap().to_owned();
        let hook = Hook { path, secret: secret.to_owned(), anyone: scene.app.anyone.clone() };
        let sent = match sender {
            "github" => hook.github("72d3162e-cc78-11e3-81ab-4c9367dc0958", &body),
            "stripe" => hook.stamped("stripe-signature", scene.now(), &body),
            "slack" => hook.slack(scene.now(), &body),
            "shopify" => hook.shopify("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", &body),
            _ => hook.twilio("", "From+1Textä b", b"Text=%C3%A4+b&From=%2B1").with(FORM.0, FORM.1),
        };
        for refused in [forged(&sent), Sent { body: b"{}".to_vec(), ..sent.clone() }] {
            hook.send(&refused).await.refused(401, "UNAUTHENTICATED");
        }
        let accepted = hook.send(&sent).await.expect(202);
        let expected =
            if sender == "twilio" { json!({ "From": "+1", "Text": "ä b" }) } else { event.clone() };
        assert_eq!(scene.input(&accepted).await, expected, "{sender}");
        let again = hook.send(&sent).await.expect(200);
        assert_eq!(again["run_id"], accepted["run_id"], "{sender}");
    }
    assert_eq!(runs(&scene.acme).await, 5);
}

#[tokio::test]
async fn a_senders_own_id_names_its_deliveries() {
    let scene = Scene::new().await;
    let later = |seconds: i64| scene.now() + seconds;
    let stripe = scene.hook(json!({ "sender": "stripe", "signing_secret": "whsec_12345678" })).await;
    let event = |id: &str| json!({ "id": id, "type": "t" }).to_string().into_bytes();
    let first =
        stripe.send(&stripe.stamped("stripe-signature", scene.now(), &event("evt_1"))).await.expect(202);
    // Stripe signs each attempt anew.
    let again =
        stripe.send(&stripe.stamped("stripe-signature", later(60), &event("evt_1"))).await.expect(200);
    assert_eq!(again["run_id"], first["run_id"]);
    stripe.send(&stripe.stamped("stripe-signature", scene.now(), &event("evt_2"))).await.expect(202);

    let slack = scene.hook(json!({ "sender": "slack", "signing_secret": "12345678" })).await;
    let event = |id: &str| json!({ "event_id": id, "type": "event_callback" }).to_string().into_bytes();
    let first = slack.send(&slack.slack(scene.now(), &event("Ev1"))).await.expect(202);
    let again = slack.send(&slack.slack(later(60), &event("Ev1"))).await.expect(200);
    assert_eq!(again["run_id"], first["run_id"]);
    slack.send(&slack.slack(scene.now(), &event("Ev2"))).await.expect(202);
    // What has no id of its own is known by what is signed.
    let command = slack.slack(scene.now(), b"command=%2Fdeploy&trigger_id=1.2").with(FORM.0, FORM.1);
    let before = runs(&scene.acme).await;
    slack.send(&command).await.expect(200);
    slack.send(&command).await.expect(200);
    // Whatever names, which nobody signed, stand beside it.
    let renamed = slack.slack(scene.now(), b"command=%2Fdeploy&trigger_id=1.2").with(FORM.0, FORM.1);
    slack.send(&renamed.with("idempotency-key", "other")).await.expect(200);
    let later = slack.slack(later(1), b"command=%2Fdeploy&trigger_id=1.2").with(FORM.0, FORM.1);
    assert_eq!(runs(&scene.acme).await, before + 1);
    slack.send(&later).await.expect(200);
    assert_eq!(runs(&scene.acme).await, before + 2);

    let shopify = scene.hook(json!({ "sender": "shopify", "signing_secret": "12345678" })).await;
    let first = shopify.send(&shopify.shopify("one", b"{\"a\":1}")).await.expect(202);
    assert_eq!(
        shopify.send(&shopify.shopify("one", b"{\"a\":2}")).await.expect(200)["run_id"],
        first["run_id"]
    );
    let mut of_event = shopify.shopify("x", b"{\"a\":3}").with("x-shopify-event-id", "e1");
    of_event.headers.retain(|(name, _)| name != "x-shopify-webhook-id");
    shopify.send(&of_event).await.expect(202);

    let twilio = scene.hook(json!({ "sender": "twilio", "signing_secret": "12345678" })).await;
    let message = |sid: &str, key: &str| {
        let sent = twilio.twilio("", &format!("MessageSid{sid}"), format!("MessageSid={sid}").as_bytes());
        sent.with(FORM.0, FORM.1).with("i-twilio-idempotency-token", key)
    };
    twilio.send(&message("SM1", "k1")).await.expect(202);
    twilio.send(&message("SM2", "k1")).await.expect(200);
    twilio.send(&message("SM1", "k2")).await.expect(200);
    // What was taken for another has started nothing yet.
    twilio.send(&message("SM2", "k2")).await.expect(202);
}

#[tokio::test]
async fn a_signature_without_a_time_starts_one_run_in_30_days() {
    let scene = Scene::new().await;
    let github = scene.hook(json!({ "sender": "github" })).await;
    let first = github.send(&github.github("one", BODY)).await.expect(202);
    // Its name is not signed, so whoever has seen it can give it another.
    for id in ["two", "three"] {
        let again = github.send(&github.github(id, BODY)).await.expect(200);
        assert_eq!(again["run_id"], first["run_id"]);
    }
    let mut unnamed = github.github("x", BODY);
    unnamed.headers.retain(|(name, _)| name != "x-github-delivery");
    github.send(&unnamed).await.expect(200);
    // Nor are these.
    github.send(&unnamed.clone().with("idempotency-key", "other").with(FORM.0, FORM.1)).await.expect(200);
    github.send(&github.github("two", b"{\"other\":true}")).await.expect(202);
    assert_eq!(runs(&scene.acme).await, 2);
    let days = |count: u64| Duration::from_secs(count * 24 * 3600);
    scene.app.state.clock.advance(days(30) - Duration::from_secs(1));
    for again in [github.github("four", BODY), github.github("one", b"{\"new\":true}")] {
        assert_eq!(github.send(&again).await.expect(200)["run_id"], first["run_id"]);
    }
    scene.app.state.clock.advance(Duration::from_secs(1));
    github.send(&github.github("four", BODY)).await.expect(202);

    let open = scene.hook(json!({ "require_bearer": false })).await;
    open.send(&open.own(BODY)).await.expect(202);
    open.send(&open.own(BODY)).await.expect(200);
    open.send(&open.own(BODY).with("idempotency-key", "k")).await.expect(200);
    // Who has shown the token, too, may say the same again.
    let guarded = scene.hook(json!({})).await;
    for _ in 0..2 {
        guarded.send_as(&scene.acme.client, &guarded.own(BODY)).await.expect(202);
    }
}

#[tokio::test]
async fn sdk_senders_deliver_without_a_bearer_where_none_is_required() {
    let scene = Scene::new().await;
    let header = "x-agentruntime-signature";
    let hook = scene.hook(json!({ "require_bearer": false })).await;
    let sent = hook.stamped(header, scene.now(), BODY).with("idempotency-key", "order-12345");
    let accepted = hook.send(&sent).await.expect(202);
    assert_eq!(scene.input(&accepted).await, serde_json::from_slice::<Value>(BODY).unwrap());
    let again = hook.stamped(header, scene.now() + 5, BODY).with("idempotency-key", "order-12345");
    assert_eq!(hook.send(&again).await.expect(200)["run_id"], accepted["run_id"]);
    hook.send(&again.with("idempotency-key", "order-12346")).await.expect(202);
    for at in [-301, 301] {
        hook.send(&hook.stamped(header, scene.now() + at, BODY)).await.refused(401, "UNAUTHENTICATED");
    }
    for at in [-300, 300] {
        hook.send(&hook.stamped(header, scene.now() + at, BODY)).await.expect(202);
    }
    // Not even a wrong token is looked at.
    hook.send(&hook.stamped(header, scene.now(), BODY).with("authorization", "Bearer x")).await.expect(202);

    let guarded = scene.hook(json!({})).await;
    let sent = guarded.stamped(header, scene.now(), BODY);
    let refused = guarded.send(&sent).await.refused(401, "UNAUTHENTICATED");
    assert!(refused["error"].as_str().unwrap().contains("require_bearer"), "{refused:#}");
    guarded.send_as(&scene.acme.client, &sent).await.expect(202);
    // A preset's sender that is made to carry one has to.
    let both = scene.hook(json!({ "sender": "github", "require_bearer": true })).await;
    both.send(&both.github("1", BODY)).await.refused(401, "UNAUTHENTICATED");
    both.send_as(&scene.acme.client, &both.github("1", BODY)).await.expect(202);
    // Its own form is the only one.
    both.send_as(&scene.acme.client, &both.own(BODY)).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_token_is_checked_although_nobody_carries_it() {
    let scene = Scene::new().await;
    let here = ("acme", "default");
    let end = scene.app.state.clock.now().plus(Duration::from_secs(10));
    let open = json!({ "require_bearer": false });
    let hook_of = async |owner: &Workspace| {
        let mut new = open.clone();
        new["automation_bearer"] = json!(owner.token);
        scene.hook(new).await
    };
    let ends = scene.app.member(here, Role::ProjectContributor, &[], Some(end)).await;
    let revoked = scene.app.member(here, Role::ProjectContributor, &[Scope::WorkflowRun], None).await;
    let (of_ends, of_revoked) = (hook_of(&ends).await, hook_of(&revoked).await);
    let deliver = async |hook: &Hook, key: &str| {
        let at = scene.now();
        hook.send(&hook.stamped("x-agentruntime-signature", at, BODY).with("idempotency-key", key)).await
    };
    deliver(&of_ends, "1").await.expect(202);
    deliver(&of_revoked, "1").await.expect(202);
    scene.acme.client.delete(&format!("/v1/pats/{}", it::pat_id(&revoked.token))).await.expect(204);
    deliver(&of_revoked, "2").await.refused(401, "UNAUTHENTICATED");
    scene.app.state.clock.advance(Duration::from_secs(10));
    deliver(&of_ends, "2").await.refused(401, "UNAUTHENTICATED");
    for (hook, reason) in [(&of_ends, "TOKEN_MAY_NOT"), (&of_revoked, "TOKEN_REVOKED")] {
        let log = scene.acme.client.get(&format!("{}/deliveries", hook.path)).await.expect(200);
        let log = log["deliveries"].as_array().unwrap();
        let refused: Vec<&Value> = log.iter().filter(|entry| entry["outcome"] == "refused").collect();
        assert_eq!((refused.len(), &refused[0]["reason"]), (1, &json!(reason)), "{log:#?}");
    }
}

#[tokio::test]
async fn slacks_challenge_is_answered_when_its_signature_holds() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "sender": "slack", "signing_secret": "8f742231b10e8888" })).await;
    let body = json!({ "token": "t", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
                       "type": "url_verification" });
    let body = body.to_string().into_bytes();
    hook.send(&forged(&hook.slack(scene.now(), &body))).await.refused(401, "UNAUTHENTICATED");
    hook.send(&hook.slack(scene.now() - 301, &body)).await.refused(401, "UNAUTHENTICATED");
    let answer = hook.send(&hook.slack(scene.now(), &body)).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.expect(200), "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P");
    let ssl = hook.slack(scene.now(), b"ssl_check=1&token=t").with(FORM.0, FORM.1);
    assert_eq!(hook.send(&ssl).await.expect(200), Value::Null);
    assert_eq!(runs(&scene.acme).await, 0);
    // Others do not ask so.
    let github = scene.hook(json!({ "sender": "github" })).await;
    github.send(&github.github("1", &body)).await.expect(202);
}

/// For Slack a 202 is a failure, and whatever it is answered with is shown to the person who typed the command.
#[tokio::test]
async fn slacks_commands_and_interactions_are_answered_with_an_empty_200() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "sender": "slack", "signing_secret": "8f742231b10e8888" })).await;
    for form in [&b"command=%2Fdeploy&text=now"[..], b"payload=%7B%22type%22%3A%22view_submission%22%7D"] {
        let before = runs(&scene.acme).await;
        let sent = hook.slack(scene.now(), form).with(FORM.0, FORM.1);
        for _ in 0..2 {
            assert_eq!(hook.send(&sent).await.expect(200), Value::Null);
        }
        assert_eq!(runs(&scene.acme).await, before + 1);
        hook.send(&forged(&sent)).await.refused(401, "UNAUTHENTICATED");
    }
    // An event's answer is read by nobody, and any success will do.
    let event = json!({ "type": "event_callback", "event_id": "Ev1" }).to_string().into_bytes();
    let accepted = hook.send(&hook.slack(scene.now(), &event)).await.expect(202);
    assert_eq!(scene.input(&accepted).await["event_id"], "Ev1");
}

#[tokio::test]
async fn a_secret_of_standard_webhooks_needs_no_prefix() {
    let scene = Scene::new().await;
    let sent = |hook: &Hook, key: &str| {
        let at = scene.now();
        let text = [format!("msg_1.{at}.").as_bytes(), BODY].concat();
        let signature = it::standard_signature(key, &text);
        hook.sent(("webhook-signature", signature), BODY)
            .with("webhook-id", "msg_1")
            .with("webhook-timestamp", &at.to_string())
    };
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    for issued in [secret, &secret["whsec_".len()..]] {
        let hook = scene.hook(json!({ "require_bearer": false, "signing_secret": issued })).await;
        hook.send(&forged(&sent(&hook, secret))).await.refused(401, "UNAUTHENTICATED");
        hook.send(&sent(&hook, secret)).await.expect(202);
    }
    // Its whole text may be meant as the key, so that it is taken; the log says what these headers lack.
    let text = scene.hook(json!({ "require_bearer": false, "signing_secret": "no base64 at all" })).await;
    text.send(&sent(&text, secret)).await.refused(401, "UNAUTHENTICATED");
    let log = scene.acme.client.get(&format!("{}/deliveries", text.path)).await.expect(200);
    assert_eq!(log["deliveries"][0]["reason"], "SECRET_NOT_BASE64", "{log:#}");
    text.send(&text.own(BODY)).await.expect(202);
}

#[tokio::test]
async fn twilios_address_is_found_behind_proxies() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "sender": "twilio", "signing_secret": "12345678" })).await;
    let message = |number: u8| {
        let sent = hook.twilio("?a=1&b=%20", &format!("N{number}"), format!("N={number}").as_bytes());
        sent.with(FORM.0, FORM.1)
    };
    hook.send(&message(1).with("host", "agents.example.com:443")).await.expect(202);
    hook.send(&message(2).with("host", "127.0.0.1:8787").with("x-forwarded-host", "agents.example.com"))
        .await
        .expect(202);
    hook.send(&message(3).with("host", "other.example.com")).await.refused(401, "UNAUTHENTICATED");
    hook.send(&Sent { query: "?a=1".to_owned(), ..message(3) }).await.refused(401, "UNAUTHENTICATED");
    // A body that is no form is covered by its hash in the address, or by nothing.
    let json = ("content-type", "application/json");
    hook.send(&hook.twilio("", "", b"{\"a\":1}").with(json.0, json.1)).await.refused(401, "UNAUTHENTICATED");
    // `printf '{"a":1}' | sha256sum`
    let query = "?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    let sent = hook.twilio(query, "", b"{\"a\":1}").with(json.0, json.1);
    hook.send(&Sent { body: b"{\"a\":2}".to_vec(), ..sent.clone() }).await.refused(401, "UNAUTHENTICATED");
    let accepted = hook.send(&sent).await.expect(202);
    assert_eq!(scene.input(&accepted).await, json!({ "a": 1 }));
}
