//! Credentials go to the hosts that whoever entered them has allowed, and every time that they go somewhere is in the audit
//! trail: nobody with a token for integrations can have those of others sent to a server of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use it::{Client, Models, RawMcp, RawReply, TestApp, Workspace, graph, openai_says, tool_call};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;

use crate::llm_wire::ask;

const SECRET: &str = "sk-victim-0123456789";

fn host(mcp: &RawMcp) -> String {
    mcp.url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned()
}

async fn usual() -> RawMcp {
    RawMcp::calling(|request| RawReply::result(request, &json!({ "structuredContent": {}, "content": [] })))
        .await
}

/// Whether a server has seen the secret, in whatever request.
fn has_secret(mcp: &RawMcp) -> bool {
    ["initialize", "notifications/initialized", "tools/list", "tools/call", ""]
        .iter()
        .any(|method| mcp.requests(method).iter().any(|request| format!("{request:?}").contains(SECRET)))
}

fn new_connection(hosts: Option<Value>) -> Value {
    let mut new = json!({ "display_name": "Victim", "provider": "p", "service": "api_key",
                          "credentials": { "api_key": SECRET } });
    if let Some(hosts) = hosts {
        new["allowed_hosts"] = hosts;
    }
    new
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

async fn server(client: &Client, url: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("S {}", COUNT.fetch_add(1, Ordering::Relaxed));
    let new = json!({ "name": name, "canonical_url": url, "auth_mode": "token" });
    id(&client.post("/v1/mcp/servers", &new).await.expect(201))
}

async fn bound(client: &Client, server: &str, connection: &str) -> String {
    let instance = id(&client.post("/v1/mcp/instances", &json!({ "server_id": server })).await.expect(201));
    let profile = json!({ "name": "P", "source_spec": { "connection_id": connection } });
    client.post(&format!("/v1/mcp/instances/{instance}/config-profiles"), &profile).await.expect(201);
    instance
}

/// Sends a connection to a server in every way that a caller can; the answers.
async fn send_all(acme: &Client, server: &str, instance: &str, connection: &str) -> Vec<Value> {
    let with = json!({ "connection_id": connection });
    let mut answers = Vec::new();
    for (path, body) in [
        (format!("/v1/mcp/servers/{server}/connections/{connection}/validate"), json!({})),
        (format!("/v1/mcp/servers/{server}/discover"), with),
        (format!("/v1/mcp/servers/{server}/discover"), json!({})),
        (format!("/v1/mcp/instances/{instance}/validate"), json!({})),
        (format!("/v1/mcp/instances/{instance}/tools/t/call"), json!({})),
    ] {
        answers.push(acme.post(&path, &body).await.body);
    }
    answers
}

async fn run(app: &TestApp, acme: &Workspace, instance: &str) -> Value {
    let workflow = acme.publish(&graph([tool_call("a", &[], instance, "t", &json!({}))])).await;
    let run = acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    run.view().await
}

/// The uses of credentials in the trail: connection, host and outcome, oldest first.
async fn sent(acme: &Workspace) -> Vec<(String, String, String)> {
    let entries = acme.client.get("/v1/audit?action=credential.send&limit=100").await.expect(200);
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let entry = |entry: &Value| (text(entry, "connection_id"), text(entry, "host"), text(entry, "outcome"));
    entries["entries"].as_array().unwrap().iter().rev().map(entry).collect()
}

#[tokio::test]
async fn integration_write_alone_reads_no_credential() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let attacker = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await.client;
    let good = usual().await;
    for hosts in [None, Some(json!([])), Some(json!([host(&good)]))] {
        let evil = usual().await;
        let connection = id(&acme.client.post("/v1/connections", &new_connection(hosts)).await.expect(201));
        let theirs = server(&attacker, &evil.url).await;
        let instance = bound(&attacker, &theirs, &connection).await;
        for answer in send_all(&attacker, &theirs, &instance, &connection).await {
            let said = answer.to_string();
            assert!(said.contains(&host(&evil)) && said.contains("allowed_hosts"), "{answer:#}");
        }
        let view = run(&app, &acme, &instance).await;
        assert_eq!(view["failure_code"], "CONNECTION_UNAVAILABLE", "{view:#}");
        let workflow = acme.publish(&graph([tool_call("a", &[], &instance, "t", &json!({}))])).await;
        let overrides = json!({ "overrides": [{ "instance_id": instance, "connection_id": connection }] });
        attacker.put(&format!("/v1/workflows/{workflow}/connection-overrides"), &overrides).await.expect(200);
        acme.begin_again(&workflow, json!({})).await;
        app.work().await;
        assert!(!has_secret(&evil));
        // Nor by a change of the connection without its values, or with others beside them.
        let path = format!("/v1/connections/{connection}");
        for patch in [
            json!({ "allowed_hosts": [host(&evil)] }),
            json!({ "allowed_hosts": [host(&evil)], "credentials": { "other": "value-of-theirs" } }),
            json!({ "allowed_hosts": [host(&good), host(&evil)], "credentials": { "other": null } }),
        ] {
            let refused = attacker.patch(&path, &patch).await.refused(422, "CREDENTIALS_REQUIRED");
            assert!(refused["error"].as_str().unwrap().contains("api_key"), "{refused:#}");
        }
        attacker.patch(&path, &json!({ "credentials": { "other": "value-of-theirs" } })).await.expect(200);
        bound(&attacker, &theirs, &connection).await;
        assert_ne!(run(&app, &acme, &instance).await["status"], "completed");
        assert!(!has_secret(&evil));
        let uses = sent(&acme).await;
        assert!(uses.iter().any(|(_, to, outcome)| *to == host(&evil) && outcome == "refused"), "{uses:?}");
        assert!(!uses.iter().any(|(_, to, outcome)| *to == host(&evil) && outcome == "done"), "{uses:?}");
    }
}

#[tokio::test]
async fn a_server_that_moves_takes_no_credential_along() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let attacker = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await.client;
    let (good, evil) = (usual().await, usual().await);
    let to = evil.url.clone();
    let redirecting =
        RawMcp::start(move |_| RawReply::new(307, "text/plain", "").with("location", &to)).await;
    let connection = id(&acme.client.post("/v1/connections", &new_connection(None)).await.expect(201));
    let server = server(&acme.client, &good.url).await;
    let instance = bound(&acme.client, &server, &connection).await;
    let port = host(&evil).rsplit(':').next().unwrap().to_owned();
    for url in [
        evil.url.clone(),
        format!("http://{}@{}/mcp", host(&good).replace(':', "%3A"), host(&evil)),
        format!("http://localhost:{port}/mcp"),
        redirecting.url.clone(),
    ] {
        let moved =
            attacker.patch(&format!("/v1/mcp/servers/{server}"), &json!({ "canonical_url": url })).await;
        if moved.status == 200 {
            send_all(&attacker, &server, &instance, &connection).await;
            assert_eq!(run(&app, &acme, &instance).await["status"], "failed");
        }
        assert!(!has_secret(&evil) && !has_secret(&redirecting), "{url}");
    }
    // One that is allowed leads nowhere else either.
    let hosts = json!({ "allowed_hosts": [host(&redirecting)], "credentials": { "api_key": SECRET } });
    acme.client.patch(&format!("/v1/connections/{connection}"), &hosts).await.expect(200);
    send_all(&acme.client, &server, &instance, &connection).await;
    assert!(has_secret(&redirecting) && !has_secret(&evil));
}

#[tokio::test]
async fn ordinary_use_goes_on_and_is_in_the_trail() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = usual().await;
    for hosts in [None, Some(json!([format!("HTTP://{}", host(&mcp)).to_lowercase()]))] {
        let named = hosts.is_some();
        let made = acme.client.post("/v1/connections", &new_connection(hosts)).await.expect(201);
        assert_eq!(made["allowed_hosts"], if named { json!([host(&mcp)]) } else { json!([]) });
        let connection = id(&made);
        let server = server(&acme.client, &mcp.url).await;
        let instance = bound(&acme.client, &server, &connection).await;
        let here = format!("/v1/connections/{connection}");
        assert_eq!(acme.client.get(&here).await.expect(200)["allowed_hosts"], json!([host(&mcp)]));
        for answer in send_all(&acme.client, &server, &instance, &connection).await {
            assert!(!answer.to_string().contains("allowed_hosts"), "{answer:#}");
        }
        let before = sent(&acme).await.len();
        for _ in 0..3 {
            assert_eq!(run(&app, &acme, &instance).await["status"], "completed");
        }
        let mut uses = sent(&acme).await;
        assert_eq!(uses.len(), before + 1, "one entry an hour for all steps: {uses:?}");
        uses.retain(|each| *each == (connection.clone(), host(&mcp), "done".to_owned()));
        assert_eq!(uses.len(), 6, "one for each way");
        // Fewer hosts need no values, and nothing is sent there any more.
        acme.client.patch(&here, &json!({ "allowed_hosts": [] })).await.expect(200);
        assert_eq!(run(&app, &acme, &instance).await["failure_code"], "CONNECTION_UNAVAILABLE");
        acme.client
            .patch(&here, &json!({ "allowed_hosts": [host(&mcp)] }))
            .await
            .refused(422, "CREDENTIALS_REQUIRED");
        let again = json!({ "allowed_hosts": [host(&mcp)], "credentials": { "api_key": SECRET } });
        acme.client.patch(&here, &again).await.expect(200);
        assert_eq!(run(&app, &acme, &instance).await["status"], "completed");
    }
    for bad in [json!(["*.example.com"]), json!(["a@b"]), json!(["x/y"]), json!([""]), json!("a")] {
        acme.client.post("/v1/connections", &new_connection(Some(bad))).await.refused(422, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn hosts_are_taken_for_a_day_from_the_same_token_only() {
    let clock = Clock::manual("2026-09-21T08:00:00Z".parse().unwrap());
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    let other = app.member(("acme", "default"), Role::TenantAdmin, &[], None).await.client;
    let mcp = usual().await;
    let connection = id(&acme.client.post("/v1/connections", &new_connection(None)).await.expect(201));
    let server = server(&acme.client, &mcp.url).await;
    let hosts = async || {
        acme.client.get(&format!("/v1/connections/{connection}")).await.expect(200)["allowed_hosts"].clone()
    };
    bound(&other, &server, &connection).await;
    assert_eq!(hosts().await, json!([]));
    clock.advance(Duration::from_secs(24 * 3600));
    bound(&acme.client, &server, &connection).await;
    assert_eq!(hosts().await, json!([]));
    let again = json!({ "credentials": { "api_key": SECRET } });
    acme.client.patch(&format!("/v1/connections/{connection}"), &again).await.expect(200);
    bound(&acme.client, &server, &connection).await;
    assert_eq!(hosts().await, json!([host(&mcp)]));
}

/// Makes a connection's row what an older version has written.
async fn age(app: &TestApp, connection: &str) {
    let db = app.stores.dynamodb(&[]);
    let mut pages = db.scan().table_name(app.stores.table()).into_paginator().items().send();
    while let Some(row) = pages.next().await {
        let row = row.unwrap();
        if row.get("sk") == Some(&AttributeValue::S(connection.to_owned()))
            && row.contains_key("credential_keys")
        {
            let update = db.update_item().table_name(app.stores.table());
            let update = update.key("pk", row["pk"].clone()).key("sk", row["sk"].clone());
            update.update_expression("REMOVE allowed_hosts, entered").send().await.unwrap();
            return;
        }
    }
    panic!("there is no row");
}

#[tokio::test]
async fn rows_of_older_versions_keep_the_hosts_they_are_bound_to() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let attacker = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await.client;
    let (good, evil) = (usual().await, usual().await);
    for way in 0..3 {
        let connection = id(&acme.client.post("/v1/connections", &new_connection(None)).await.expect(201));
        let first = server(&acme.client, &good.url).await;
        let instance = bound(&acme.client, &first, &connection).await;
        age(&app, &connection).await;
        let here = format!("/v1/connections/{connection}");
        assert_eq!(acme.client.get(&here).await.expect(200)["allowed_hosts"], Value::Null);
        match way {
            // Used as before.
            0 => assert_eq!(run(&app, &acme, &instance).await["status"], "completed"),
            // Bound by somebody else before it is used.
            1 => {
                let theirs = server(&attacker, &evil.url).await;
                let other = bound(&attacker, &theirs, &connection).await;
                send_all(&attacker, &theirs, &other, &connection).await;
            }
            // Moved by somebody else before it is used.
            _ => {
                let path = format!("/v1/mcp/servers/{first}");
                attacker.patch(&path, &json!({ "canonical_url": evil.url })).await.expect(200);
                send_all(&attacker, &first, &instance, &connection).await;
                attacker.patch(&path, &json!({ "canonical_url": good.url })).await.expect(200);
            }
        }
        assert!(!has_secret(&evil), "{way}");
        assert_eq!(acme.client.get(&here).await.expect(200)["allowed_hosts"], json!([host(&good)]), "{way}");
        assert_eq!(run(&app, &acme, &instance).await["status"], "completed", "{way}");
    }
}

#[tokio::test]
async fn a_provider_key_goes_elsewhere_only_with_its_value() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let attacker = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await.client;
    let good = Models::answering([openai_says("Yes.", 1, 1), openai_says("Yes.", 1, 1)]).await;
    let evil = Models::answering([openai_says("Yes.", 1, 1)]).await;
    let key = json!({ "provider": "openai", "api_key": SECRET, "base_url": good.url() });
    let key = acme.client.post("/v1/llm-provider-keys", &key).await.expect(201);
    let path = format!("/v1/llm-provider-keys/{}", id(&key));
    let elsewhere = json!({ "base_url": evil.url() });
    let refused = attacker.patch(&path, &elsewhere).await;
    assert!(refused.status == 422 && refused.body.to_string().contains("base_url"), "{:#}", refused.body);
    let refused = attacker.post(&format!("{path}/rotate"), &elsewhere).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().contains("api_key"), "{refused:#}");
    for _ in 0..2 {
        let run = acme.begin(&graph([ask("direct.openai.gpt-4.1", &json!({}))]), json!({})).await;
        assert_eq!(run.finished().await["status"], "completed");
    }
    assert!(evil.requests().await.is_empty());
    let entries = acme.client.get("/v1/audit?action=credential.send").await.expect(200);
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["provider_key_id"], key["id"]);
    assert_eq!(entries[0]["host"].as_str().unwrap(), good.url().split('/').nth(2).unwrap());
}
