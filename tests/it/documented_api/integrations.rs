//! The pages "Inbound webhooks", "Connections" and "MCP".

use it::{McpStandIn, Sender, graph, tool_call};
use serde_json::{Value, json};

use super::{Reader, has, text};

pub(super) async fn inbound_webhooks(reader: &Reader) {
    let scopes = json!({ "display_name": "automation", "scopes": ["workflow:run"] });
    let pat = reader.api.post("/v1/pats", &scopes).await.expect(201);
    let new = |more: Value| {
        let mut new =
            json!({ "workflow_id": reader.workflow, "name": "form-leads", "automation_pat_id": pat["id"] });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    let by_id = reader.api.post("/v1/inbound-webhooks", &new(json!({}))).await.expect(201);
    let made = new(json!({ "automation_bearer": pat["token"] }));
    let made = reader.api.post("/v1/inbound-webhooks", &made).await.expect(201);
    for made in [&by_id, &made] {
        has(made, &["subscription.id", "subscription.created_at", "subscription.updated_at", "ingress_url"]);
        assert!(text(made, "signing_secret").starts_with("whsec_"));
        let subscription = &made["subscription"];
        assert_eq!(subscription["workflow_id"], *reader.workflow);
        assert_eq!(
            (&subscription["tenant_id"], &subscription["project_id"]),
            (&json!("acme"), &json!("default"))
        );
        assert_eq!((&subscription["name"], &subscription["enabled"]), (&json!("form-leads"), &json!(true)));
        let path = format!("/v1/inbound-webhooks/{}", text(subscription, "id"));
        assert_eq!(made["ingress_path"], *path);
        assert!(text(made, "ingress_url").ends_with(&path));
    }
    let path = text(&made, "ingress_path");
    let extras =
        json!({ "extras": { "use_run_setup_defaults": true, "trigger_payload": { "source": "shop" } } });
    reader.api.patch(&path, &extras).await.expect(200);

    // The page's own sender: openssl and curl.
    let bearer =
        reader.app.anyone.bearer(pat["token"].as_str().unwrap()).with("content-type", "application/json");
    let sender = Sender { client: bearer, path: path.clone(), secret: text(&made, "signing_secret") };
    let accepted = sender.deliver(br#"{"email":"kim@example.com"}"#).await.expect(202);
    assert_eq!(
        (&accepted["status"], &accepted["subscription_id"]),
        (&json!("running"), &made["subscription"]["id"])
    );
    reader.app.work().await;
    let context = reader.path(&format!("/runs/{}/context", text(&accepted, "run_id")));
    let input = reader.api.get(&context).await.expect(200)["input"].clone();
    let expected =
        json!({ "topic": "weekly", "message": "default", "source": "shop", "email": "kim@example.com" });
    assert_eq!(input, expected);
    sender.deliver_as(&reader.app.anyone, b"{}").await.expect(401);

    let listed = reader.api.get("/v1/inbound-webhooks").await.expect(200);
    let secrets = [text(&made, "signing_secret"), text(&by_id, "signing_secret"), text(&pat, "token")];
    assert!(!secrets.iter().any(|secret| listed.to_string().contains(secret)), "{listed:#}");
    let deliveries = reader.api.get(&format!("{path}/deliveries")).await.expect(200);
    has(&deliveries, &["deliveries"]);
    let rotated =
        reader.api.post(&format!("{path}/rotate-secret"), &json!({ "grace_s": 0 })).await.expect(200);
    assert!(text(&rotated, "signing_secret").starts_with("whsec_"));
    reader.api.delete(&path).await.expect(204);
    reader.api.get(&path).await.refused(404, "NOT_FOUND");
    sender.deliver(b"{}").await.refused(404, "NOT_FOUND");
}

pub(super) async fn connections(reader: &Reader) -> String {
    let new = json!({ "display_name": "Desk CI", "provider": "custom", "service": "api_key",
                      "credentials": { "api_key": "value-of-the-desk-key" } });
    let made = reader.api.post("/v1/connections", &new).await.expect(201);
    has(&made, &["id"]);
    for (field, value) in [
        ("name", json!("Desk CI")),
        ("provider", json!("custom")),
        ("service", json!("api_key")),
        ("status", json!("active")),
        ("credential_keys", json!(["api_key"])),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let id = text(&made, "id");
    let path = format!("/v1/connections/{id}");
    let listed = reader.api.get("/v1/connections").await.expect(200);
    assert_eq!(
        (&listed["connections"][0]["id"], &listed["connections"][0]["used_by"]),
        (&json!(id), &json!([]))
    );
    let renamed = reader.api.patch(&path, &json!({ "display_name": "Desk" })).await.expect(200);
    assert_eq!(renamed["name"], "Desk");
    let metadata = reader.api.get(&format!("{path}/credentials")).await.expect(200);
    has(&metadata["credentials"][0], &["name", "length", "updated_at"]);
    for answer in [listed, metadata, reader.api.get(&path).await.expect(200)] {
        assert!(!answer.to_string().contains("value-of-the-desk-key"), "{answer:#}");
    }
    id
}

pub(super) async fn register_an_mcp_server(reader: &Reader, connection: &str) {
    let stand_in = McpStandIn::start().await;
    let api = &reader.api;
    let new = json!({ "name": "Internal tools", "canonical_url": stand_in.url, "description": "CRM and billing",
                      "mode": "third_party", "auth_mode": "token" });
    let server = api.post("/v1/mcp/servers", &new).await.expect(201);
    for (field, value) in [
        ("name", json!("Internal tools")),
        ("service", json!("internal_tools")),
        ("canonical_url", json!(stand_in.url)),
        ("status", json!("draft")),
        ("auth_mode", json!("token")),
        ("tool_count", json!(0)),
    ] {
        assert_eq!(server[field], value, "{field}");
    }
    // Discover, publish, validate, instance: the documented order.
    let path = format!("/v1/mcp/servers/{}", text(&server, "id"));
    let found = api.post(&format!("{path}/discover"), &json!({})).await.expect(200);
    assert_eq!(found["authenticated"], false, "{found:#}");
    let version = json!({ "version": "1.0.0", "tools": found["tools"], "activate": true,
                          "config_schema": { "type": "object" } });
    let version = api.post(&format!("{path}/versions"), &version).await.expect(201);
    assert_eq!(version["active"], true);
    let valid = api.post(&format!("{path}/validate"), &json!({})).await.expect(200);
    assert_eq!(valid["valid"], true, "{valid:#}");
    has(&valid["checks"][0], &["name", "status", "message"]);
    let instance = api.post("/v1/mcp/instances", &json!({ "server_id": server["id"] })).await.expect(201);
    let instance = text(&instance, "id");
    assert_eq!(api.get(&path).await.expect(200)["status"], "active");
    let listed = api.get("/v1/mcp/servers").await.expect(200);
    assert_eq!(listed["servers"][0]["tool_count"], found["tool_count"]);
    has(&api.get("/v1/mcp/platform-catalog").await.expect(200)["entries"][0], &["id", "name", "url"]);
    let tools = api.get("/v1/mcp/tools?q=add").await.expect(200);
    assert_eq!(tools["tools"][0]["instance_id"], *instance);

    bind_a_connection(reader, &path, &instance, connection).await;
    call_a_tool(reader, &stand_in, &instance, connection).await;
}

async fn bind_a_connection(reader: &Reader, server: &str, instance: &str, connection: &str) {
    let api = &reader.api;
    // Whoever enters the values says where they may go.
    let refused =
        api.post(&format!("{server}/connections/{connection}/validate"), &json!({})).await.expect(200);
    assert!(refused["checks"][0]["message"].as_str().unwrap().contains("allowed_hosts"), "{refused:#}");
    let url = text(&api.get(server).await.expect(200), "canonical_url");
    let allow = json!({ "allowed_hosts": [url.split('/').nth(2)],
                        "credentials": { "api_key": "value-of-the-desk-key" } });
    api.patch(&format!("/v1/connections/{connection}"), &allow).await.expect(200);
    let bound =
        api.post(&format!("{server}/connections/{connection}/validate"), &json!({})).await.expect(200);
    assert_eq!(bound["valid"], true, "{bound:#}");
    let with = json!({ "connection_id": connection });
    let found = api.post(&format!("{server}/discover"), &with).await.expect(200);
    assert_eq!(found["authenticated"], true, "{found:#}");
    let path = format!("/v1/mcp/instances/{instance}");
    let inject = json!([{ "credential_key": "api_key", "as": "bearer" }]);
    let profile = json!({ "name": "main", "source_spec": { "connection_id": connection, "inject": inject } });
    let profile = api.post(&format!("{path}/config-profiles"), &profile).await.expect(201);
    let profile = format!("{path}/config-profiles/{}", text(&profile, "id"));
    api.patch(&profile, &json!({ "name": "Main" })).await.expect(200);
    api.post(&format!("{profile}/set-active"), &json!({})).await.expect(200);
    let profiles = api.get(&format!("{path}/config-profiles")).await.expect(200);
    has(&profiles, &["config_profiles"]);
    assert_eq!(api.get(&path).await.expect(200)["connection_id"], connection);
    assert_eq!(api.post(&format!("{path}/validate"), &json!({})).await.expect(200)["valid"], true);
    let instances = api.get("/v1/mcp/instances").await.expect(200);
    assert_eq!(instances["instances"][0]["id"], *instance);
}

async fn call_a_tool(reader: &Reader, stand_in: &McpStandIn, instance: &str, connection: &str) {
    let api = &reader.api;
    // A workflow that calls it, with a connection of its own choice.
    let calls = graph([tool_call("sum", &[], instance, "add", &json!({ "a": 2 }))]);
    let resolved = api.post("/v1/mcp/instances/resolve", &json!({ "graph": calls })).await.expect(200);
    assert!(resolved.to_string().contains(instance), "{resolved:#}");
    let workflow = reader.acme.publish(&calls).await;
    let overrides = json!({ "overrides": [{ "instance_id": instance, "connection_id": connection }] });
    let put = format!("/v1/workflows/{workflow}/connection-overrides");
    assert_eq!(api.put(&put, &overrides).await.expect(200), json!({ "status": "ok" }));
    assert_eq!(api.get(&put).await.expect(200)["overrides"], overrides["overrides"]);
    let run = reader.acme.start(&workflow, json!({})).await;
    reader.app.work().await;
    let run = api.get(&format!("/v1/workflows/{workflow}/runs/{run}")).await.expect(200);
    assert_eq!(
        (&run["status"], &run["outputs"]["sum"]),
        (&json!("completed"), &json!({ "sum": 42.0 })),
        "{run:#}"
    );
    assert_eq!(stand_in.calls()[0].authorization, "Bearer value-of-the-desk-key");
    let used = api.get("/v1/connections").await.expect(200);
    assert_ne!(used["connections"][0]["used_by"], json!([]));
    api.delete(&format!("/v1/connections/{connection}")).await.refused(409, "CONNECTION_IN_USE");
}
