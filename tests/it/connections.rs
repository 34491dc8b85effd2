//! Connections: what they hold, what they show, who uses them, and what is left when a store fails.

use std::collections::BTreeSet;
use std::time::Duration;

use it::{Client, Fault, Faults, TestApp, Workspace};
use serde_json::{Value, json};
use shared::store::{ConnectionUse, ConnectionUser};
use shared::types::clock::{Clock, Timestamp};
use shared::types::ids::{ConnectionId, InstanceId, Place, WorkflowId};

const LIST: &str = "/v1/connections";

fn new(credentials: &Value) -> Value {
    json!({ "display_name": "Ticket system", "provider": "custom", "service": "custom",
            "credentials": credentials })
}

async fn create(owner: &Workspace, credentials: &Value) -> String {
    let made = owner.client.post(LIST, &new(credentials)).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn app() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

/// The values in the secret store that belong to tenants.
fn secrets(app: &TestApp) -> Vec<String> {
    app.stores.secrets.under("test/").into_iter().map(|(_, value)| value).collect()
}

#[tokio::test]
async fn a_connection_is_created_read_listed_changed_and_deleted() {
    let (app, acme) = app().await;
    let sent = json!({ "display_name": " Ticket system ", "provider": "custom", "service": "api_key",
                       "credentials": { "api_key": "s3cret-first-0001" } });
    let made = acme.client.post(LIST, &sent).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let now = "2026-09-21T14:13:20.000Z";
    let expected = json!({
        "id": id, "name": "Ticket system", "provider": "custom", "service": "api_key", "status": "active",
        "credential_keys": ["api_key"], "allowed_hosts": [], "used_by": [], "created_at": now, "updated_at": now,
    });
    assert_eq!(made, expected);
    let here = format!("{LIST}/{id}");
    assert_eq!(acme.client.get(&here).await.expect(200), expected);
    assert_eq!(acme.client.get(LIST).await.expect(200), json!({ "connections": [expected] }));

    app.state.clock.advance(Duration::from_secs(1));
    let patch = json!({ "display_name": "Tickets", "credentials": { "extra": "s3cret-second-02" } });
    let patched = acme.client.patch(&here, &patch).await.expect(200);
    assert_eq!(patched["name"], "Tickets");
    assert_eq!(patched["credential_keys"], json!(["api_key", "extra"]));
    let shown = acme.client.get(&format!("{here}/credentials")).await.expect(200);
    let expected = json!({ "credentials": [
        { "name": "api_key", "length": 17, "last_four": "0001", "secret": true, "updated_at": now },
        { "name": "extra", "length": 16, "last_four": "d-02", "secret": true, "updated_at": "2026-09-21T14:13:21.000Z" },
    ] });
    assert_eq!(shown, expected);
    assert_eq!(secrets(&app).len(), 1, "the values before are destroyed");
    assert!(app.stores.secrets.under(&format!("test/acme/default/connection/{id}/")).len() == 1);

    let removed = acme.client.patch(&here, &json!({ "credentials": { "extra": null } })).await.expect(200);
    assert_eq!(removed["credential_keys"], json!(["api_key"]));
    acme.client.delete(&here).await.expect(204);
    assert_eq!(secrets(&app), Vec::<String>::new());
    for path in [here.clone(), format!("{here}/credentials")] {
        acme.client.get(&path).await.refused(404, "NOT_FOUND");
    }
    acme.client.patch(&here, &json!({})).await.refused(404, "NOT_FOUND");
    acme.client.delete(&here).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn each_service_says_which_keys_it_needs() {
    let (app, acme) = app().await;
    let post = async |service: &str, credentials: Value| {
        let sent =
            json!({ "display_name": "c", "provider": "p", "service": service, "credentials": credentials });
        acme.client.post(LIST, &sent).await
    };
    for (service, needed) in [
        ("api_key", "api_key"),
        ("bearer_token", "token, or bearer_token, or access_token"),
        ("basic", "username and password"),
        ("dsn", "dsn, or url, or connection_string"),
        ("oauth2", "access_token, or client_id and client_secret"),
    ] {
        let refused =
            post(service, json!({ "other": "s3cret-value-1" })).await.refused(422, "INVALID_REQUEST");
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains(service) && error.contains(needed) && !error.contains("s3cret"), "{error}");
    }
    let basic = post("basic", json!({ "username": "u", "password": "p" })).await.expect(201);
    post("oauth2", json!({ "client_id": "c", "client_secret": "s", "token_url": "https://x" }))
        .await
        .expect(201);
    post("custom", json!({})).await.refused(422, "INVALID_REQUEST");
    post("ftp", json!({ "key": "v" })).await.refused(422, "INVALID_REQUEST");
    let here = format!("{LIST}/{}", basic["id"].as_str().unwrap());
    let refused = acme.client.patch(&here, &json!({ "credentials": { "password": null } })).await;
    refused.refused(422, "INVALID_REQUEST");
    assert_eq!(secrets(&app).len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_credentials_is_named_and_no_value_is_quoted() {
    let (app, acme) = app().await;
    let value = "s3cret-1234567890";
    for (credentials, named) in [
        (json!({ "key": 1234567890 }), "key"),
        (json!({ "key": [value] }), "key"),
        (json!(value), "credentials"),
        (json!([value]), "credentials"),
        (json!(1234567890), "credentials"),
        (json!({ "two words": value }), "two words"),
        (json!({ "key": "" }), "credentials.key"),
        (json!({ "key": "x".repeat(16 * 1024 + 1) }), "16384"),
    ] {
        let refused = acme.client.post(LIST, &new(&credentials)).await.refused(422, "INVALID_REQUEST");
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains(named) && !error.contains("1234567890"), "{error}");
    }
    let twice = r#"{"display_name":"c","provider":"p","service":"custom","credentials":{"k":"a","k":"b"}}"#;
    acme.client.send("POST", LIST, twice).await.refused(422, "INVALID_REQUEST");
    let unknown = json!({ "display_name": "c", "provider": "p", "service": "custom", "credentials": { "k": "v" },
                          "name": "c" });
    let refused = acme.client.post(LIST, &unknown).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().contains("name"));
    assert_eq!(acme.client.get(LIST).await.expect(200), json!({ "connections": [] }));
    assert_eq!(secrets(&app), Vec::<String>::new());
}

#[tokio::test]
async fn credentials_keep_the_order_in_which_they_were_sent() {
    let (_, acme) = app().await;
    let sent =
        r#"{"display_name":"c","provider":"p","service":"custom","credentials":{"z":"1","a":"2","m":"3"}}"#;
    let made = acme.client.send("POST", LIST, sent).await.expect(201);
    assert_eq!(made["credential_keys"], json!(["z", "a", "m"]));
}

#[tokio::test]
async fn connections_are_listed_newest_first_page_by_page() {
    let (app, acme) = app().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        app.state.clock.advance(Duration::from_millis(1));
        ids.insert(0, create(&acme, &json!({ "key": "v" })).await);
    }
    let (mut seen, mut path) = (Vec::new(), format!("{LIST}?limit=2"));
    loop {
        let page = acme.client.get(&path).await.expect(200);
        let rows = page["connections"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("{LIST}?limit=2&cursor={next}");
    }
    assert_eq!(seen, ids);
}

fn place(owner: &Workspace) -> Place {
    Place { tenant_id: owner.tenant_id.parse().unwrap(), project_id: owner.project_id.parse().unwrap() }
}

#[tokio::test]
async fn a_connection_in_use_says_by_whom_and_is_deleted_only_by_force() {
    let (app, acme) = app().await;
    let ids = [create(&acme, &json!({ "key": "v" })).await, create(&acme, &json!({ "key": "v" })).await];
    let connection: ConnectionId = ids[0].parse().unwrap();
    let (instance, other) = (InstanceId::new(app.state.clock.now()), InstanceId::new(app.state.clock.now()));
    let workflow = WorkflowId::new(app.state.clock.now());
    let by = |user| ConnectionUse { connection, user };
    let uses = BTreeSet::from([
        by(ConnectionUser::Instance(instance)),
        by(ConnectionUser::Override(workflow, instance)),
        by(ConnectionUser::Override(workflow, other)),
    ]);
    let (place, none) = (place(&acme), BTreeSet::new());
    app.state.store.change_connection_uses(&place, &uses, &none).await.unwrap();
    let mut users = vec![instance.to_string(), other.to_string()];
    users.sort();
    let here = format!("{LIST}/{}", ids[0]);
    assert_eq!(acme.client.get(&here).await.expect(200)["used_by"], json!(users));
    let listed = acme.client.get(LIST).await.expect(200);
    let of = |id: &str| {
        listed["connections"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone()
    };
    assert_eq!(of(&ids[0])["used_by"], json!(users));
    assert_eq!(of(&ids[1])["used_by"], json!([]));

    let refused = acme.client.delete(&here).await.refused(409, "CONNECTION_IN_USE");
    let error = refused["error"].as_str().unwrap();
    for named in [instance.to_string(), other.to_string(), workflow.to_string()] {
        assert!(error.contains(&named), "{error}");
    }
    acme.client.get(&here).await.expect(200);
    // Changed credentials leave the users as they are.
    let patched = acme.client.patch(&here, &json!({ "credentials": { "key": "w" } })).await.expect(200);
    assert_eq!(patched["used_by"], json!(users));
    app.state.store.change_connection_uses(&place, &none, &uses).await.unwrap();
    assert_eq!(acme.client.get(&here).await.expect(200)["used_by"], json!([]));
    app.state.store.change_connection_uses(&place, &uses, &uses).await.unwrap();
    assert_eq!(acme.client.get(&here).await.expect(200)["used_by"], json!(users));
    acme.client.delete(&format!("{here}?force=true")).await.expect(204);
    assert_eq!(secrets(&app).len(), 1);
    // Nobody can begin to use what is not there.
    assert!(app.state.store.change_connection_uses(&place, &uses, &none).await.is_err());
}

#[tokio::test]
async fn while_the_secret_store_is_down_nothing_is_made_or_changed_and_later_it_is() {
    let (app, acme) = app().await;
    let id = create(&acme, &json!({ "key": "s3cret-before" })).await;
    let here = format!("{LIST}/{id}");
    let before = acme.client.get(&here).await.expect(200);
    app.state.clock.advance(Duration::from_secs(1));
    app.stores.secrets.set_down(true);
    let patch = json!({ "credentials": { "key": "s3cret-after" } });
    for answer in [
        acme.client.post(LIST, &new(&json!({ "key": "s3cret-other" }))).await,
        acme.client.patch(&here, &patch).await,
    ] {
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
        answer.refused(503, "DEPENDENCY_UNAVAILABLE");
    }
    assert_eq!(acme.client.get(LIST).await.expect(200), json!({ "connections": [before] }));
    app.stores.secrets.set_down(false);
    acme.client.post(LIST, &new(&json!({ "key": "s3cret-other" }))).await.expect(201);
    acme.client.patch(&here, &patch).await.expect(200);
    let kept = secrets(&app).concat();
    assert!(
        kept.contains("s3cret-other") && kept.contains("s3cret-after") && !kept.contains("s3cret-before")
    );
    settle(&app).await;
    assert_eq!(secrets(&app).len(), 2);
}

#[tokio::test]
async fn credentials_that_were_lost_are_given_anew() {
    let (app, acme) = app().await;
    let id = create(&acme, &json!({ "key": "s3cret-before", "other": "s3cret-other" })).await;
    let here = format!("{LIST}/{id}");
    app.stores.secrets.lose("test/");
    // It may only not be seen yet.
    acme.client.get(&format!("{here}/credentials")).await.refused(503, "DEPENDENCY_UNAVAILABLE");
    let early = json!({ "credentials": { "key": "s3cret-early" } });
    acme.client.patch(&here, &early).await.refused(503, "DEPENDENCY_UNAVAILABLE");
    app.state.clock.advance(Duration::from_secs(61));
    let refused = acme.client.get(&format!("{here}/credentials")).await.refused(409, "CREDENTIALS_MISSING");
    assert!(refused["error"].as_str().unwrap().contains("PATCH"), "{refused}");
    let patch = json!({ "credentials": { "key": "s3cret-after" } });
    let patched = acme.client.patch(&here, &patch).await.expect(200);
    assert_eq!(patched["credential_keys"], json!(["key"]));
    assert!(matches!(&secrets(&app)[..], [only] if only.contains("s3cret-after")), "{:?}", secrets(&app));
    acme.client.delete(&here).await.expect(204);
    settle(&app).await;
    assert_eq!(secrets(&app).len(), 0);
}

#[tokio::test]
async fn a_deletion_while_the_secret_store_is_down_is_made_good_by_the_sweep() {
    let (app, acme) = app().await;
    let id = create(&acme, &json!({ "key": "s3cret" })).await;
    app.stores.secrets.set_down(true);
    acme.client.delete(&format!("{LIST}/{id}")).await.expect(204);
    acme.client.get(&format!("{LIST}/{id}")).await.refused(404, "NOT_FOUND");
    app.state.clock.advance(Duration::from_secs(61));
    // It says to the log that it could not, and goes on to the next row.
    shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap();
    assert_eq!(secrets(&app).len(), 1);
    app.stores.secrets.set_down(false);
    settle(&app).await;
    assert_eq!(secrets(&app), Vec::<String>::new());
}

/// Lets so much time pass that whatever a crash left is made good.
async fn settle(app: &TestApp) {
    for _ in 0..2 {
        app.state.clock.advance(Duration::from_secs(16 * 60));
        shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap();
    }
}

/// Every connection that is shown has its secret, with the keys that it shows, and there is no other secret.
async fn is_whole(app: &TestApp, acme: &Workspace, what: &str) -> Vec<Vec<String>> {
    // A process that has nothing in memory.
    let state = app.stores.state(app.state.clock.clone(), &[]);
    let client = Client::new(local::router(state)).bearer(&acme.token);
    let listed = client.get(&format!("{LIST}?limit=100")).await.expect(200);
    let mut all = Vec::new();
    for row in listed["connections"].as_array().unwrap() {
        let here = format!("{LIST}/{}/credentials", row["id"].as_str().unwrap());
        let shown = client.get(&here).await.expect(200);
        let shown = shown["credentials"].as_array().unwrap();
        let keys: Vec<Value> = shown.iter().map(|each| each["name"].clone()).collect();
        assert_eq!(row["credential_keys"], Value::from(keys), "{what}");
        all.push(shown.iter().map(|each| each["length"].to_string()).collect());
    }
    assert_eq!(secrets(app).len(), all.len(), "{what}: each secret has its owner");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_either_store_leaves_a_secret_without_its_row_or_a_row_without_its_secret() {
    for fault in Fault::ways() {
        for call in 0.. {
            let what = format!("call {call} / {fault:?}");
            let (app, acme) = app().await;
            let faults = Faults::at(call, fault);
            let faulty =
                Client::new(local::router(app.stores.faulty_state(app.state.clock.clone(), &faults)))
                    .bearer(&acme.token);
            let made = faulty.post(LIST, &new(&json!({ "a": "1", "b": "22" }))).await;
            let id = match made.status.as_u16() {
                201 => made.body["id"].as_str().unwrap().to_owned(),
                503 => {
                    assert!(made.header("retry-after").is_some(), "{what}");
                    create(&acme, &json!({ "a": "1", "b": "22" })).await
                }
                other => panic!("{what}: {other} {:#}", made.body),
            };
            let here = format!("{LIST}/{id}");
            let patched = faulty.patch(&here, &json!({ "credentials": { "b": "333", "c": "4444" } })).await;
            let deleted = faulty.delete(&here).await;
            for answer in [&patched, &deleted] {
                assert!([200, 204, 404, 503].contains(&answer.status.as_u16()), "{what}: {:#}", answer.body);
            }
            settle(&app).await;
            let left = is_whole(&app, &acme, &what).await;
            if deleted.status == 204 {
                // What was not answered with success may have been kept all the same: one more of the first kind.
                assert!(
                    left.len() <= 1 && left.iter().all(|lengths| *lengths == ["1", "2"]),
                    "{what}: {left:?}"
                );
            } else if patched.status == 200 {
                assert!(left.iter().any(|l| *l == ["1", "3", "4"]) || left.len() <= 1, "{what}: {left:?}");
            }
            if faults.calls() <= call {
                break;
            }
        }
    }
}

#[tokio::test]
async fn credentials_are_trimmed_or_refused() {
    let (app, acme) = app().await;
    for (service, keys) in [
        ("api_key", &["api_key"][..]),
        ("bearer_token", &["token"]),
        ("basic", &["username", "password"]),
        ("dsn", &["dsn"]),
        ("oauth2", &["client_id", "client_secret"]),
        ("custom", &["anything"]),
    ] {
        let with = |value: &str| {
            let credentials: Value = keys.iter().map(|key| ((*key).to_owned(), json!(value))).collect();
            json!({ "display_name": "C", "provider": "custom", "service": service, "credentials": credentials })
        };
        let made = acme.client.post(LIST, &with("\u{feff} tok-0001-0002\r\n")).await.expect(201);
        let here = format!("{LIST}/{}", made["id"].as_str().unwrap());
        let length = async || {
            let shown = acme.client.get(&format!("{here}/credentials")).await.expect(200);
            let mut shown = shown["credentials"].as_array().unwrap().iter();
            shown.find(|each| each["name"] == keys[0]).unwrap()["length"].clone()
        };
        assert_eq!(length().await, 13, "{service}");
        let patch = |value: &str| json!({ "credentials": { keys[0]: value } });
        acme.client.patch(&here, &patch("\ttok-0001-000\n")).await.expect(200);
        assert_eq!(length().await, 12, "{service}");
        for bad in ["tok-\n0001", "tok-\u{0}0001", "\n", " \u{200b} "] {
            let answers =
                [acme.client.post(LIST, &with(bad)).await, acme.client.patch(&here, &patch(bad)).await];
            for answer in answers {
                let refused = answer.refused(422, "INVALID_REQUEST");
                let error = refused["error"].as_str().unwrap();
                assert!(keys.iter().any(|key| error.starts_with(&format!("credentials.{key}: "))), "{error}");
                assert!(!error.contains("0001"), "{error}");
            }
        }
    }
    assert!(secrets(&app).iter().all(|secret| !secret.contains("\\n") && !secret.contains('\u{feff}')));
}
