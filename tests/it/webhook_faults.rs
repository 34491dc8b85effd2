//! Inbound webhooks under failure, by enumeration: every call of every store fails before and after its effect, as an
//! error and as a crash of its process. A delivery that was accepted starts one run, whatever happens; a subscription
//! has its secrets, and there are no others.

use std::time::Duration;

use it::{Client, Fault, Faults, Sender, TestApp, Workspace, graph, lua};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

const LIST: &str = "/v1/inbound-webhooks";

async fn app() -> (TestApp, Workspace, String) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    let workflow = acme.publish(&graph([lua("a", "return { input = input }")])).await;
    (app, acme, workflow)
}

/// A process one of whose calls fails, and its client.
fn faulty(app: &TestApp, acme: &Workspace, faults: &Faults) -> Client {
    Client::new(local::router(app.stores.faulty_state(app.state.clock.clone(), faults))).bearer(&acme.token)
}

/// Lets so much time pass that whatever a crash left is made good.
async fn settle(app: &TestApp) {
    for _ in 0..2 {
        app.state.clock.advance(Duration::from_secs(16 * 60));
        shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_with_a_key_starts_one_run_under_every_fault() {
    let (app, acme, workflow) = app().await;
    let mut started = 0;
    // A large input is kept in rows of its own; what a known sender's delivery is known by, too.
    for (large, github) in [(false, false), (true, false), (false, true)] {
        let body =
            json!({ "order_id": "12345", "pad": "x".repeat(if large { 4_000 } else { 1 }) }).to_string();
        for fault in Fault::ways() {
            for call in 0.. {
                let what = format!("large {large} / github {github} / call {call} / {fault:?}");
                let preset = if github { "github" } else { "generic" };
                let sender = acme.subscribe(&workflow, json!({ "sender": preset })).await;
                let faults = Faults::at(call, fault);
                let broken = faulty(&app, &acme, &faults);
                let mut run_ids = Vec::new();
                // Its sender tries again, as senders do, until it is told that the delivery was accepted.
                for (attempt, client) in
                    [&broken, &broken, &acme.client, &acme.client].into_iter().enumerate()
                {
                    let answer = match github {
                        // Somebody gives it another name each time; what is signed stays the same.
                        true => {
                            let signed = client.with("x-hub-signature-256", &sender.sign(body.as_bytes()));
                            let named = signed.with("x-github-delivery", &format!("{attempt}"));
                            named.send("POST", &sender.path, body.clone()).await
                        }
                        false => {
                            sender.deliver_as(&client.with("webhook-id", "msg_1"), body.as_bytes()).await
                        }
                    };
                    match answer.status.as_u16() {
                        200 | 202 => run_ids.push(answer.body["run_id"].as_str().unwrap().to_owned()),
                        503 => assert!(answer.header("retry-after").is_some(), "{what}"),
                        other => panic!("{what}: {other} {:#}", answer.body),
                    }
                }
                run_ids.dedup();
                assert_eq!(run_ids.len(), 1, "{what}");
                // Its message may have been lost.
                app.pass(Duration::from_secs(61)).await;
                let run = acme.known_run(&workflow, &run_ids[0]);
                assert_eq!(run.result("a").await["input"]["order_id"], "12345", "{what}");
                let log = acme.client.get(&format!("{}/deliveries", sender.path)).await.expect(200);
                let log = log["deliveries"].as_array().unwrap();
                // Its entry is kept with its run, and so there is as many of the one as of the other.
                let accepted: Vec<_> = log.iter().filter(|entry| entry["outcome"] == "accepted").collect();
                assert_eq!(accepted.len(), 1, "{what}: {log:#?}");
                assert_eq!(accepted[0]["run_id"], run_ids[0], "{what}: {log:#?}");
                started += 1;
                if faults.calls() <= call {
                    break;
                }
            }
        }
    }
    let (mut runs, mut path) = (0, "/v1/runs?limit=100".to_owned());
    loop {
        let page = acme.client.get(&path).await.expect(200);
        runs += page["runs"].as_array().unwrap().len();
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/runs?limit=100&cursor={next}");
    }
    assert_eq!(runs, started, "one run for each delivery");
}

/// Which of these secrets a subscription's deliveries may be signed with; each other one is refused.
async fn valid(app: &TestApp, acme: &Workspace, path: &str, secrets: &[String]) -> Vec<bool> {
    // A process that has nothing in memory.
    let state = app.stores.state(app.state.clock.clone(), &[]);
    let client = Client::new(local::router(state)).bearer(&acme.token);
    let mut valid = Vec::new();
    for secret in secrets {
        let sender = Sender { client: client.clone(), path: path.to_owned(), secret: secret.clone() };
        valid.push(sender.deliver(b"{}").await.status == 202);
    }
    valid
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_leaves_a_subscription_without_its_secret_or_a_secret_without_its_subscription() {
    for fault in Fault::ways() {
        for call in 0.. {
            let what = format!("call {call} / {fault:?}");
            let (app, acme, workflow) = app().await;
            let faults = Faults::at(call, fault);
            let broken = faulty(&app, &acme, &faults);
            let new = json!({ "workflow_id": workflow, "name": "w", "automation_bearer": acme.token });
            let mut made = broken.post(LIST, &new).await;
            if made.status != 201 {
                assert_eq!(made.status, 503, "{what}: {:#}", made.body);
                made = acme.client.post(LIST, &new).await;
            }
            let made = made.expect(201);
            let path = made["ingress_path"].as_str().unwrap();
            let secret = |answer: &Value| answer["signing_secret"].as_str().map(str::to_owned);
            let mut secrets = vec![secret(&made).unwrap()];
            let rotated = broken.post(&format!("{path}/rotate-secret"), &json!({ "grace_s": 0 })).await;
            let was_rotated = rotated.status == 200;
            assert!(was_rotated || rotated.status == 503, "{what}: {:#}", rotated.body);
            secrets.extend(secret(&rotated.body));
            let expected = if was_rotated { vec![false, true] } else { vec![true] };
            let found = valid(&app, &acme, path, &secrets).await;
            // A rotation whose answer was lost may have been made: then its secret is known to nobody.
            assert!(found == expected || (!was_rotated && found == [false]), "{what}: {found:?}");
            let issued = "issued by the sender".to_owned();
            let patched = broken.patch(path, &json!({ "signing_secret": issued })).await;
            let was_patched = patched.status == 200;
            assert!(was_patched || patched.status == 503, "{what}: {:#}", patched.body);
            secrets.push(issued);
            let after = valid(&app, &acme, path, &secrets).await;
            let (is_issued, ours) = after.split_last().unwrap();
            // It is the only one, or nothing was changed.
            assert!(*is_issued || !was_patched, "{what}: {after:?}");
            assert!(if *is_issued { !ours.contains(&true) } else { ours == found }, "{what}: {after:?}");
            let deleted = broken.delete(path).await;
            if deleted.status != 204 {
                assert!([503, 404].contains(&deleted.status.as_u16()), "{what}: {:#}", deleted.body);
            }
            settle(&app).await;
            let listed = acme.client.get(LIST).await.expect(200);
            let left = listed["inbound_webhooks"].as_array().unwrap().len();
            assert!(deleted.status != 204 || left <= 1, "{what}");
            assert_eq!(app.stores.secrets.under("test/").len(), left, "{what}: each secret has its owner");
            if deleted.status == 204 {
                assert_eq!(valid(&app, &acme, path, &secrets).await, vec![false; secrets.len()], "{what}");
            }
            if faults.calls() <= call {
                break;
            }
        }
    }
}
