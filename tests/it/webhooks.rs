//! Inbound webhooks: how owners manage them, and what becomes of deliveries. Who may deliver is in `webhook_proofs`.

use std::collections::BTreeSet;
use std::time::Duration;

use it::{Answer, Client, Sender, TestApp, Workspace, graph, lua};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;
use shared::types::scope::Scope;

const LIST: &str = "/v1/inbound-webhooks";
pub const BODY: &[u8] = br#"{"order_id": "12345", "customer_email": "alex@example.com"}"#;

pub async fn app() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

/// A published workflow whose result is its input, and somebody who delivers to it.
pub async fn subscribed() -> (TestApp, Workspace, String, Sender) {
    let (app, acme) = app().await;
    let workflow = acme.publish(&graph([lua("a", "return { input = input }")])).await;
    let sender = acme.subscribe(&workflow, json!({})).await;
    (app, acme, workflow, sender)
}

/// How many runs there are.
pub async fn runs(acme: &Workspace) -> usize {
    acme.client.get("/v1/runs?limit=100").await.expect(200)["runs"].as_array().unwrap().len()
}

/// The sentence of a refusal, and that nothing was started.
pub async fn nothing_started(acme: &Workspace, answer: Answer, status: u16, code: &str) -> String {
    let before = runs(acme).await;
    assert_eq!(before, 0, "{:#}", answer.body);
    answer.refused(status, code)["error"].as_str().unwrap().to_owned()
}

async fn outcomes(acme: &Workspace, sender: &Sender) -> Vec<Value> {
    let log = acme.client.get(&format!("{}/deliveries?limit=100", sender.path)).await.expect(200);
    log["deliveries"].as_array().unwrap().clone()
}

/// The headers of Standard Webhooks, made by OpenSSL of the bytes behind the prefix.
pub fn standard(sender: &Sender, id: &str, at: i64, body: &[u8]) -> Client {
    let text = [format!("{id}.{at}.").as_bytes(), body].concat();
    let signature = it::standard_signature(&sender.secret, &text);
    let client = sender.client.with("webhook-id", id).with("webhook-timestamp", &at.to_string());
    client.with("webhook-signature", &signature)
}

#[tokio::test]
async fn a_delivery_starts_a_run_whose_input_is_the_body() {
    let (app, acme, workflow, sender) = subscribed().await;
    let accepted = sender.deliver(BODY).await.expect(202);
    let run_id = accepted["run_id"].as_str().unwrap();
    let subscription = sender.path.rsplit('/').next().unwrap();
    let expected = json!({ "run_id": run_id, "status": "running", "subscription_id": subscription });
    assert_eq!(accepted, expected);
    app.work().await;
    let run = acme.known_run(&workflow, run_id);
    assert_eq!(run.view().await["trigger_type"], "webhook");
    let input: Value = serde_json::from_slice(BODY).unwrap();
    assert_eq!(run.result("a").await["input"], input);
    let log = outcomes(&acme, &sender).await;
    assert_eq!(log, [json!({ "time": "2026-09-21T14:13:20.000Z", "outcome": "accepted", "run_id": run_id })]);
}

#[tokio::test]
async fn subscriptions_are_created_read_listed_changed_and_deleted_and_show_their_secret_once() {
    let (app, acme) = app().await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let pat = it::pat_id(&acme.token);
    let new = json!({ "workflow_id": workflow, "name": " Orders ", "automation_pat_id": pat,
                      "automation_bearer": acme.token, "extras": { "trigger_payload": { "source": "shop" } } });
    let client = acme.client.with("host", "evil.example.net").with("x-forwarded-host", "evil.example.net");
    let made = client.post(LIST, &new).await.expect(201);
    let id = made["subscription"]["id"].as_str().unwrap();
    let here = format!("{LIST}/{id}");
    let now = "2026-09-21T14:13:20.000Z";
    let subscription = json!({
        "id": id, "tenant_id": "acme", "project_id": "default", "workflow_id": workflow, "name": "Orders",
        "enabled": true, "sender": "generic", "require_bearer": true, "automation_pat_id": pat,
        "created_at": now, "updated_at": now,
        "extras": { "trigger_payload": { "source": "shop" }, "use_run_setup_defaults": false },
    });
    assert_eq!(made["subscription"], subscription);
    assert_eq!(made["ingress_path"], here);
    assert_eq!(
        made["ingress_url"],
        format!("https://agents.example.com{here}"),
        "the deployment's, not the caller's"
    );
    let secret = made["signing_secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50);

    assert_eq!(acme.client.get(&here).await.expect(200), subscription);
    assert_eq!(acme.client.get(LIST).await.expect(200), json!({ "inbound_webhooks": [subscription] }));
    let patch = json!({ "name": "Shop", "enabled": false, "extras": {} });
    let patched = acme.client.patch(&here, &patch).await.expect(200);
    assert_eq!((&patched["name"], &patched["enabled"]), (&json!("Shop"), &json!(false)));
    assert_eq!(patched["extras"], json!({ "use_run_setup_defaults": false }));
    let rotated = acme.client.post(&format!("{here}/rotate-secret"), &json!({})).await.expect(200);
    assert_ne!(rotated["signing_secret"], secret);
    assert_eq!(rotated["previous_valid_until"], "2026-09-22T14:13:20.000Z");
    for path in [here.clone(), LIST.to_owned(), format!("{here}/deliveries")] {
        assert!(!acme.client.get(&path).await.expect(200).to_string().contains("whsec_"));
    }
    acme.client.delete(&here).await.expect(204);
    assert_eq!(app.stores.secrets.under("test/"), []);
    for path in [here.clone(), format!("{here}/deliveries")] {
        acme.client.get(&path).await.refused(404, "NOT_FOUND");
    }
    acme.client.delete(&here).await.refused(404, "NOT_FOUND");
    acme.client.post(&here, &json!({})).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_automation_token_must_be_able_to_start_runs_here() {
    let (app, acme) = app().await;
    app.workspace("other").await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let now = app.state.clock.now();
    let here = ("acme", "default");
    let reader = app.member(here, Role::TenantAdmin, &[Scope::WorkflowRead], None).await;
    let viewer = app.member(here, Role::ProjectViewer, &[], None).await;
    let ended = app.member(here, Role::ProjectContributor, &[], Some(now)).await;
    let elsewhere = app.member(("acme", "second"), Role::TenantAdmin, &[], None).await;
    let stranger = app.member(("other", "default"), Role::TenantAdmin, &[], None).await;
    let create = async |more: Value| {
        let mut new = json!({ "workflow_id": workflow, "name": "w" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        acme.client.post(LIST, &new).await
    };
    for (owner, why) in [
        (&reader, "workflow:run"),
        (&viewer, "viewer"),
        (&ended, "expired"),
        (&elsewhere, "no such token"),
        (&stranger, "no such token"),
    ] {
        for more in [
            json!({ "automation_bearer": owner.token }),
            json!({ "automation_pat_id": it::pat_id(&owner.token) }),
        ] {
            let refused = create(more).await.refused(422, "INVALID_REQUEST");
            let error = refused["error"].as_str().unwrap();
            assert!(error.contains(why) && !error.contains(&owner.token), "{error}");
        }
    }
    let good = it::pat_id(&acme.token);
    let runner = app.member(here, Role::ProjectContributor, &[Scope::WorkflowRun], None).await;
    for more in [
        json!({}),
        json!({ "automation_bearer": "pat_x" }),
        json!({ "automation_pat_id": "x" }),
        json!({ "automation_pat_id": good, "automation_bearer": runner.token }),
        json!({ "automation_pat_id": good, "automation_bearer": &acme.token[..acme.token.len() - 1] }),
    ] {
        create(more).await.refused(422, "INVALID_REQUEST");
    }
    // The id of one token with the secret of another, and a checksum that fits.
    create(json!({ "automation_bearer": runner.token })).await.expect(201);
    assert_eq!(acme.client.get(LIST).await.expect(200)["inbound_webhooks"].as_array().unwrap().len(), 1);
    let unknown = json!({ "workflow_id": good, "name": "w", "automation_bearer": acme.token });
    let refused = acme.client.post(LIST, &unknown).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().starts_with("workflow_id:"));
}

#[tokio::test]
async fn extras_are_checked_and_lie_beneath_the_body() {
    let (app, acme) = app().await;
    let mut waits = lua("waits", "return { input = input }");
    waits["no_auto_start"] = json!(true);
    let workflow =
        acme.publish(&graph([lua("a", "return { input = input }"), lua("b", "return {}"), waits])).await;
    let create = async |extras: Value| {
        let new = json!({ "workflow_id": workflow, "name": "w", "automation_bearer": acme.token, "extras": extras });
        acme.client.post(LIST, &new).await
    };
    for (extras, named) in [
        (json!({ "payload": {} }), "payload"),
        (json!({ "trigger_payload": [] }), "trigger_payload"),
        (json!({ "trigger_steps": { "a": 1 } }), "extras.trigger_steps.a"),
        (json!({ "trigger_steps": { "zz": {} } }), "zz"),
        (json!({ "excluded_step_ids": ["zz"] }), "zz"),
        (json!({ "use_run_setup_defaults": "yes" }), "use_run_setup_defaults"),
        (json!({ "trigger_payload": { "pad": "x".repeat(33_000) } }), "32 KiB"),
    ] {
        let refused = create(extras).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(named), "{refused:#}");
    }
    let extras = json!({ "trigger_payload": { "source": "shop", "order_id": "none" },
                         "trigger_steps": { "waits": { "only": "here" } }, "excluded_step_ids": ["b"] });
    let sender = acme.subscribe(&workflow, json!({ "extras": extras })).await;
    let accepted = sender.deliver(BODY).await.expect(202);
    app.work().await;
    let run = acme.known_run(&workflow, accepted["run_id"].as_str().unwrap());
    let mut input = json!({ "source": "shop", "order_id": "12345", "customer_email": "alex@example.com" });
    assert_eq!(run.result("a").await["input"], input);
    input["only"] = json!("here");
    assert_eq!(run.result("waits").await["input"], input);
    assert_eq!(run.step("b").await["status"], "skipped");
}

#[tokio::test]
async fn saved_start_defaults_lie_beneath_everything_when_they_are_asked_for() {
    let (app, acme) = app().await;
    let workflow = acme.create(&graph([lua("a", "return { input = input }")])).await;
    let path = format!("/v1/workflows/{workflow}");
    let setup = json!({ "run_setup": { "trigger_payload": { "region": "eu", "order_id": "none" } } });
    acme.client.patch(&path, &setup).await.expect(200);
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    let sender = acme.subscribe(&workflow, json!({ "extras": { "use_run_setup_defaults": true } })).await;
    let accepted = sender.deliver(BODY).await.expect(202);
    app.work().await;
    let input = acme.known_run(&workflow, accepted["run_id"].as_str().unwrap()).result("a").await;
    assert_eq!((&input["input"]["region"], &input["input"]["order_id"]), (&json!("eu"), &json!("12345")));
}

#[tokio::test]
async fn unknown_deleted_and_disabled_subscriptions_do_not_exist() {
    let (app, acme, _, sender) = subscribed().await;
    let mut sentences = BTreeSet::new();
    let unknown = format!("{LIST}/0199c000-0000-7000-8000-000000000001");
    let answer = Sender { path: unknown, ..sender.clone() }.deliver(BODY).await;
    sentences.insert(nothing_started(&acme, answer, 404, "NOT_FOUND").await);
    acme.client.patch(&sender.path, &json!({ "enabled": false })).await.expect(200);
    sentences.insert(nothing_started(&acme, sender.deliver(BODY).await, 404, "NOT_FOUND").await);
    // Nobody learns that it is there.
    let answer = app.anyone.send("POST", &sender.path, "x").await;
    sentences.insert(nothing_started(&acme, answer, 404, "NOT_FOUND").await);
    acme.client.patch(&sender.path, &json!({ "enabled": true })).await.expect(200);
    sender.deliver(BODY).await.expect(202);
    acme.client.delete(&sender.path).await.expect(204);
    let refused = sender.deliver(BODY).await.refused(404, "NOT_FOUND");
    sentences.insert(refused["error"].as_str().unwrap().to_owned());
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    app.anyone.send("POST", &format!("{LIST}/x"), "{}").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_body_must_be_a_json_object_of_at_most_256_kib() {
    let (app, acme, workflow, sender) = subscribed().await;
    let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    for body in [
        b"".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"null".to_vec(),
        b"{".to_vec(),
        b"{} {}".to_vec(),
        b"order=12345".to_vec(),
        b"{\"a\":\"\xff\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        nested(128),
        nested(100_000),
    ] {
        let answer = sender.deliver(&body).await;
        let sentence = nothing_started(&acme, answer, 400, "UNREADABLE").await;
        assert!(sentence.contains("JSON object"), "{sentence}");
    }
    let sized = |bytes: usize| {
        let mut body = br#"{"pad":""#.to_vec();
        body.resize(bytes - 2, b'x');
        body.extend(br#""}"#);
        body
    };
    let answer = sender.deliver(&sized(256 * 1024 + 1)).await;
    nothing_started(&acme, answer, 413, "TOO_LARGE").await;
    // Whoever cannot be its sender learns nothing of that.
    let answer = app.anyone.send("POST", &sender.path, sized(2 * 1024 * 1024)).await;
    nothing_started(&acme, answer, 401, "UNAUTHENTICATED").await;
    let accepted = sender.deliver(&sized(256 * 1024)).await.expect(202);
    app.work().await;
    let run = acme.known_run(&workflow, accepted["run_id"].as_str().unwrap());
    assert_eq!(run.status().await, "completed");
    // Nested, but not too deeply.
    sender.deliver(&nested(50)).await.expect(202);
}

#[tokio::test]
async fn a_delivery_seen_before_in_72_hours_is_answered_with_the_first_run() {
    let (app, acme, _, sender) = subscribed().await;
    let at = || app.state.clock.now().as_seconds();
    let by_key = sender.client.with("idempotency-key", "order-12345");
    let first = sender.deliver_as(&by_key, BODY).await.expect(202);
    assert_eq!(sender.deliver_as(&by_key, BODY).await.expect(200), first);
    app.work().await;
    let again = sender.deliver_as(&by_key, b"{}").await.expect(200);
    assert_eq!(again["run_id"], first["run_id"], "whatever the body");
    assert_eq!(again["status"], "completed");
    let by_id = || standard(&sender, "msg_1", at(), BODY);
    let second = by_id().send("POST", &sender.path, BODY).await.expect(202);
    assert_eq!(by_id().send("POST", &sender.path, BODY).await.expect(200), second);
    assert_eq!(runs(&acme).await, 2);
    // Another subscription knows nothing of it.
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let other = acme.subscribe(&workflow, json!({})).await;
    other.deliver_as(&by_key, BODY).await.expect(202);

    app.state.clock.advance(Duration::from_secs(72 * 3600 - 1));
    assert_eq!(sender.deliver_as(&by_key, BODY).await.expect(200)["run_id"], first["run_id"]);
    app.state.clock.advance(Duration::from_secs(1));
    let third = sender.deliver_as(&by_key, BODY).await.expect(202);
    assert_ne!(third["run_id"], first["run_id"]);
    for bad in ["", &"k".repeat(256)] {
        let client = sender.client.with("idempotency-key", bad);
        sender.deliver_as(&client, BODY).await.refused(400, "KEY_UNREADABLE");
    }
    sender.deliver_as(&sender.client.with("idempotency-key", &"k".repeat(255)), BODY).await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_of_one_key_at_the_same_time_start_one_run() {
    let (_, acme, _, sender) = subscribed().await;
    let mut deliveries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let sender = sender.clone();
        deliveries
            .spawn(async move { sender.deliver_as(&sender.client.with("webhook-id", "one"), BODY).await });
    }
    let answers = deliveries.join_all().await;
    let new = answers.iter().filter(|answer| answer.status == 202).count();
    let ids: BTreeSet<String> = answers.iter().map(|answer| answer.body["run_id"].to_string()).collect();
    assert_eq!((new, ids.len()), (1, 1), "{answers:#?}");
    assert_eq!(runs(&acme).await, 1);
}

#[tokio::test]
async fn a_rotated_secret_is_valid_for_its_grace_and_then_destroyed() {
    let (app, acme, _, first) = subscribed().await;
    let rotate = async |grace: Value| {
        let rotated = acme.client.post(&format!("{}/rotate-secret", first.path), &grace).await.expect(200);
        Sender { secret: rotated["signing_secret"].as_str().unwrap().to_owned(), ..first.clone() }
    };
    let secrets = || app.stores.secrets.under("test/").len();
    first.deliver(BODY).await.expect(202);
    let second = rotate(json!({ "grace_s": 60 })).await;
    for sender in [&first, &second] {
        sender.deliver(BODY).await.expect(202);
    }
    app.state.clock.advance(Duration::from_secs(59));
    first.deliver(BODY).await.expect(202);
    app.state.clock.advance(Duration::from_secs(1));
    first.deliver(BODY).await.refused(401, "UNAUTHENTICATED");
    second.deliver(BODY).await.expect(202);
    assert_eq!(secrets(), 2);
    shared::worker::sweep(&app.state, app.state.clock.now().plus(Duration::from_millis(1))).await.unwrap();
    assert_eq!(secrets(), 1, "the sweep has destroyed the first");

    // 0 ends every earlier one at once, also in environments that have it in memory.
    let warm = Client::new(local::router(app.stores.state(app.state.clock.clone(), &[]))).bearer(&acme.token);
    second.deliver_as(&warm, BODY).await.expect(202);
    let third = rotate(json!({ "grace_s": 3600 })).await;
    let fourth = rotate(json!({ "grace_s": 0 })).await;
    for sender in [&second, &third] {
        sender.deliver(BODY).await.refused(401, "UNAUTHENTICATED");
        sender.deliver_as(&warm, BODY).await.refused(401, "UNAUTHENTICATED");
    }
    fourth.deliver_as(&warm, BODY).await.expect(202);
    assert_eq!(secrets(), 1);
    for _ in 0..4 {
        rotate(json!({})).await;
    }
    fourth.deliver(BODY).await.expect(202);
    let path = format!("{}/rotate-secret", first.path);
    let refused = acme.client.post(&path, &json!({ "grace_s": 5 })).await;
    refused.refused(409, "TOO_MANY_SECRETS");
    rotate(json!({ "grace_s": 0 })).await;
    for bad in [json!({ "grace_s": -1 }), json!({ "grace_s": 2_592_001 }), json!({ "grace": 1 })] {
        acme.client.post(&path, &bad).await.refused(422, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn while_the_secret_store_is_down_deliveries_are_503_and_the_same_one_later_succeeds() {
    let (app, acme, _, sender) = subscribed().await;
    // A process that has nothing in memory.
    let fresh =
        || Client::new(local::router(app.stores.state(app.state.clock.clone(), &[]))).bearer(&acme.token);
    let cold = fresh();
    app.stores.secrets.set_down(true);
    let client = cold.with("idempotency-key", "once");
    let answer = sender.deliver_as(&client, BODY).await;
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    app.stores.secrets.set_down(false);
    nothing_started(&acme, answer, 503, "DEPENDENCY_UNAVAILABLE").await;
    sender.deliver_as(&client, BODY).await.expect(202);
    assert_eq!(runs(&acme).await, 1);
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_with_the_reason_and_logged() {
    let (app, acme) = app().await;
    let mut needs = graph([lua("a", "return {}")]);
    needs["input_schema"] = json!({ "type": "object", "required": ["order_id"] });
    let workflow = acme.create(&needs).await;
    let path = format!("/v1/workflows/{workflow}");
    let sender = acme.subscribe(&workflow, json!({})).await;
    let keyed = sender.client.with("idempotency-key", "k");
    nothing_started(&acme, sender.deliver_as(&keyed, BODY).await, 409, "NOT_PUBLISHED").await;
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    let refused = sender.deliver(b"{}").await;
    nothing_started(&acme, refused, 422, "INVALID_REQUEST").await;
    // A refusal is not an answer to keep: the same key is tried anew.
    let accepted = sender.deliver_as(&keyed, BODY).await.expect(202);
    acme.client.delete(&path).await.expect(204);
    sender.deliver(BODY).await.refused(409, "WORKFLOW_ARCHIVED");
    assert_eq!(sender.deliver_as(&keyed, BODY).await.expect(200)["run_id"], accepted["run_id"]);
    acme.client.post(&format!("{path}/restore"), &json!({})).await.expect(200);
    sender.deliver(BODY).await.expect(202);
    app.state.clock.advance(Duration::from_secs(60));
    sender.deliver(b"[]").await.refused(400, "UNREADABLE");
    let log = outcomes(&acme, &sender).await;
    let refused: Vec<&Value> = log.iter().filter(|entry| entry["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 2, "{log:#?}");
    assert_eq!(refused[0]["reason"], "BODY_UNREADABLE");
    assert_eq!(refused[0]["refused"], json!({ "BODY_UNREADABLE": 1 }));
    // The first of a minute is written at once, the others go along with the next write.
    let counts = json!({ "INVALID_REQUEST": 1, "NOT_PUBLISHED": 1, "WORKFLOW_ARCHIVED": 1 });
    assert_eq!(refused[1]["refused"], counts);
}

#[tokio::test]
async fn the_log_of_deliveries_goes_back_30_days_page_by_page() {
    let (app, acme, _, sender) = subscribed().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        app.state.clock.advance(Duration::from_secs(86_400));
        let accepted = sender.deliver(BODY).await.expect(202);
        ids.insert(0, accepted["run_id"].as_str().unwrap().to_owned());
    }
    let log = format!("{}/deliveries", sender.path);
    let all = async || {
        let (mut seen, mut path) = (Vec::new(), format!("{log}?limit=2"));
        loop {
            let page = acme.client.get(&path).await.expect(200);
            let rows = page["deliveries"].as_array().unwrap();
            seen.extend(rows.iter().map(|row| row["run_id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { return seen };
            path = format!("{log}?limit=2&cursor={next}");
        }
    };
    assert_eq!(all().await, ids);
    app.state.clock.advance(Duration::from_secs(30 * 86_400 - 86_400));
    assert_eq!(all().await, ids[..1], "whether the database has removed them or not");
    app.state.clock.advance(Duration::from_secs(86_400));
    assert_eq!(all().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_flood_of_garbage_leaves_one_entry_a_minute() {
    let (app, acme, _, sender) = subscribed().await;
    for _ in 0..200 {
        app.state.clock.advance(Duration::from_millis(100));
        let garbage = app.anyone.with("x-agentruntime-signature", &format!("sha256={}", "0".repeat(64)));
        garbage.send("POST", &sender.path, "{}").await.refused(401, "UNAUTHENTICATED");
    }
    let log = outcomes(&acme, &sender).await;
    assert_eq!(log.len(), 1, "{log:#?}");
    assert_eq!(log[0]["outcome"], "refused");
    assert_eq!(log[0]["reason"], "TOKEN_WRONG");
    assert!(log[0]["refused"]["TOKEN_WRONG"].as_u64().unwrap() > 100, "{log:#?}");
}

#[tokio::test]
async fn steps_that_a_later_version_lacks_are_refused_by_name() {
    let (_, acme) = app().await;
    let workflow = acme.publish(&graph([lua("a", "return {}"), lua("b", "return {}")])).await;
    let sender = acme.subscribe(&workflow, json!({ "extras": { "excluded_step_ids": ["b"] } })).await;
    let path = format!("/v1/workflows/{workflow}");
    let patch = json!({ "graph": graph([lua("a", "return {}")]) });
    acme.client.patch(&path, &patch).await.expect(200);
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    let sentence = nothing_started(&acme, sender.deliver(BODY).await, 422, "INVALID_REQUEST").await;
    assert!(sentence.contains("\"b\""), "{sentence}");
}
