//! Bodies: forms and compression, and what is read before a delivery is proven.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use it::{Answer, Client, WatchedBody};
use serde_json::json;
use shared::services::config::Config;

use super::{FORM, Hook, LIST, Scene, Sent, forged};
use crate::webhooks::BODY;

async fn send(watched: &WatchedBody, client: &Client, path: &str, sent: &Sent) -> Answer {
    let with = |client: Client, (name, value): &(String, String)| client.with(name, value);
    let client = sent.headers.iter().fold(client.clone(), with);
    client.send("POST", path, watched).await
}

#[tokio::test]
async fn forms_are_input_at_the_ingress_and_nowhere_else() {
    let scene = Scene::new().await;
    let github = scene.hook(json!({ "sender": "github" })).await;
    let sent =
        github.github("1", b"payload=%7B%22action%22%3A%22opened%22%2C%22number%22%3A9007199254740993%7D");
    let accepted = github.send(&sent.with(FORM.0, FORM.1)).await.expect(202);
    assert_eq!(scene.input(&accepted).await["action"], "opened");
    let no_payload = github.github("2", b"a=1").with(FORM.0, FORM.1);
    let refused = github.send(&no_payload).await.refused(400, "UNREADABLE");
    assert!(refused["error"].as_str().unwrap().contains("'payload'"), "{refused:#}");

    let slack = scene.hook(json!({ "sender": "slack", "signing_secret": "8f742231b10e8888" })).await;
    let newest = async || {
        let feed = scene.acme.client.get("/v1/runs?limit=1").await.expect(200);
        scene.input(&feed["runs"][0]).await
    };
    let command = slack.slack(scene.now(), b"command=%2Fweather&text=94070&user_id=U2147483697");
    scene.app.state.clock.advance(Duration::from_millis(1));
    slack.send(&command.with(FORM.0, FORM.1)).await.expect(200);
    assert_eq!(newest().await, json!({ "command": "/weather", "text": "94070", "user_id": "U2147483697" }));
    let pressed = slack.slack(scene.now(), b"payload=%7B%22type%22%3A%22block_actions%22%7D");
    scene.app.state.clock.advance(Duration::from_millis(1));
    slack.send(&pressed.with(FORM.0, FORM.1)).await.expect(200);
    assert_eq!(newest().await, json!({ "type": "block_actions" }));

    let generic = scene.hook(json!({ "require_bearer": false })).await;
    let accepted =
        generic.send(&generic.own(b"order=12345&tag=a&tag=b").with(FORM.0, FORM.1)).await.expect(202);
    assert_eq!(scene.input(&accepted).await, json!({ "order": "12345", "tag": ["a", "b"] }));
    // As `curl -d` sends a JSON object.
    let accepted = generic.send(&generic.own(BODY).with(FORM.0, FORM.1)).await.expect(202);
    assert_eq!(scene.input(&accepted).await["order_id"], "12345");
    let not_utf8 = generic.own(b"order=%ff").with(FORM.0, FORM.1);
    let refused = generic.send(&not_utf8).await.refused(400, "UNREADABLE");
    assert!(refused["error"].as_str().unwrap().contains("UTF-8"), "{refused:#}");
    scene.acme.client.with(FORM.0, FORM.1).send("POST", LIST, "name=w").await.refused(400, "UNREADABLE");
}

#[tokio::test]
async fn compressed_bodies_are_verified_as_they_are_sent() {
    // `printf '{"order_id": "12345"}' | gzip -n | base64`, and Python's `zlib.compress`.
    let gzip = STANDARD.decode("H4sIAAAAAAAAA6tWyi9KSS2Kz0xRslJQMjQyNjFVqgUA91hx0BUAAAA=").unwrap();
    let zlib = STANDARD.decode("eJyrVsovSkktis9MUbJSUDI0MjYxVaoFAEuKBiI=").unwrap();
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "require_bearer": false })).await;
    for (encoding, body) in [("gzip", &gzip), ("deflate", &zlib)] {
        let accepted = hook.send(&hook.own(body).with("content-encoding", encoding)).await.expect(202);
        assert_eq!(scene.input(&accepted).await, json!({ "order_id": "12345" }), "{encoding}");
        // The signature is of the bytes that came.
        let of_decoded = hook.own(b"{\"order_id\": \"12345\"}");
        let sent = Sent { body: body.clone(), ..of_decoded }.with("content-encoding", encoding);
        hook.send(&sent).await.refused(401, "UNAUTHENTICATED");
    }
    let refused =
        hook.send(&hook.own(b"{ }").with("content-encoding", "br")).await.refused(400, "UNREADABLE");
    assert!(refused["error"].as_str().unwrap().contains("Content-Encoding"), "{refused:#}");
    hook.send(&hook.own(b"{  }").with("content-encoding", "gzip")).await.refused(400, "UNREADABLE");
    let unnamed = hook.send(&hook.own(&it::gzip(BODY))).await.refused(400, "UNREADABLE");
    assert!(unnamed["error"].as_str().unwrap().contains("'Content-Encoding: gzip'"), "{unnamed:#}");
    // 1040 bytes that come to 1 MiB and one: `(b' ' * 1048574 + b'{} ')`.
    let bomb = it::gzip(&[b" ".repeat(1024 * 1024 - 1).as_slice(), b"{}"].concat());
    assert!(bomb.len() < 4096);
    hook.send(&hook.own(&bomb).with("content-encoding", "gzip")).await.refused(413, "TOO_LARGE");
    let large = it::gzip(&[b" ".repeat(1024 * 1024 - 2).as_slice(), b"{}"].concat());
    hook.send(&hook.own(&large).with("content-encoding", "gzip")).await.expect(202);
}

#[tokio::test]
async fn nothing_is_read_of_a_delivery_that_cannot_be_proven() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "require_bearer": false })).await;
    let header = "x-agentruntime-signature";
    let disabled = scene.hook(json!({ "require_bearer": false })).await;
    scene.acme.client.patch(&disabled.path, &json!({ "enabled": false })).await.expect(200);
    let unknown = Hook {
        path: format!("{LIST}/0199c000-0000-7000-8000-000000000001"),
        secret: String::new(),
        anyone: scene.app.anyone.clone(),
    };
    let good = hook.stamped(header, scene.now(), b"{}");
    for (what, hook, sent, status) in [
        ("unknown", &unknown, &good, 404),
        ("disabled", &disabled, &good, 404),
        ("no signature", &hook, &Sent { headers: Vec::new(), ..good.clone() }, 401),
        ("no signature's form", &hook, &good.clone().with(header, "sha256=zz"), 401),
        ("no time", &hook, &good.clone().with(header, &good.headers[0].1.replace("t=", "x=")), 401),
        ("an old time", &hook, &hook.stamped(header, scene.now() - 301, b"{}"), 401),
    ] {
        let body = WatchedBody::default();
        assert_eq!(send(&body, &hook.anyone, &hook.path, sent).await.status, status, "{what}");
        assert!(!body.was_asked_for(), "{what}");
    }
    // What says that it is too large is not read either.
    let oversized = Sent { body: vec![b'x'; 256 * 1024 + 1], ..good };
    hook.send(&oversized).await.refused(413, "TOO_LARGE");
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "require_bearer": false })).await;
    let hurried = |config: &mut Config| config.body_deadline = Duration::from_millis(20);
    let state = scene.app.stores.state_with(scene.app.state.clock.clone(), hurried);
    let client = Client::new(local::router(state));
    let body = WatchedBody::default();
    let sent = hook.stamped("x-agentruntime-signature", scene.now(), b"{}");
    let refused = send(&body, &client, &hook.path, &sent).await.refused(408, "BODY_TIMEOUT");
    assert!(refused["error"].as_str().unwrap().contains("send it again"), "{refused:#}");
    assert!(body.was_asked_for());
}

#[tokio::test]
async fn strangers_use_up_what_arrives_and_not_what_is_the_senders() {
    let scene = Scene::new().await;
    let hook = scene.hook(json!({ "require_bearer": false })).await;
    let limit = shared::services::limits::Limit::per_second(1);
    let state = scene.app.stores.limited(scene.app.state.clock.clone(), limit);
    let slow = Client::new(local::router(state));
    let good =
        |key: &str| hook.stamped("x-agentruntime-signature", scene.now(), BODY).with("idempotency-key", key);
    // Ten times what the subscription takes may arrive.
    for _ in 0..18 {
        hook.send_as(&slow, &forged(&good("x"))).await.refused(401, "UNAUTHENTICATED");
    }
    hook.send_as(&slow, &good("1")).await.expect(202);
    hook.send_as(&slow, &good("2")).await.expect(202);
    let body = WatchedBody::default();
    send(&body, &slow, &hook.path, &good("3")).await.refused(429, "RATE_LIMITED");
    assert!(!body.was_asked_for());
}
