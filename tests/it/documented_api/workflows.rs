//! The pages "Workflows" and "Versions": made, changed, published, put away.

use it::Client;
use serde_json::{Value, json};

use super::{Reader, has, text};

pub(super) async fn create_a_workflow(api: &Client) -> String {
    let new = json!({
        "name": "hello-reader", "description": "First try",
        "graph": { "steps": [ { "id": "ping", "type": "lua_script", "name": "Echo input", "timeout_s": 10,
                                "script": "return { message = 'ok', input = input }" } ] }
    });
    let made = api.post("/v1/workflows", &new).await.expect(201);
    has(&made, &["id", "created_at", "updated_at"]);
    for (field, value) in [
        ("name", json!("hello-reader")),
        ("description", json!("First try")),
        ("tenant_id", json!("acme")),
        ("project_id", json!("default")),
        ("status", json!("draft")),
        ("graph", new["graph"].clone()),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    text(&made, "id")
}

pub(super) async fn change_and_publish(reader: &Reader) {
    let api = &reader.api;
    let read = api.get(&reader.path("")).await.expect(200);
    assert_eq!(read["latest_version"], Value::Null);
    let checked = json!({ "params": { "trigger_payload": { "customer_id": "123" } } });
    let checked = api.post(&reader.path("/validate"), &checked).await.expect(200);
    has(&checked, &["readiness", "check_results", "checks_performed", "issues", "blockers"]);
    has(&checked["validation_evidence"], &["workflow_graph_schema_hash", "validated_at"]);
    assert_eq!(checked["valid"], true, "{checked:#}");
    assert_eq!(checked["topological_order"], json!(["ping"]));
    let last = reader.path(&format!("/graph-dry-runs?graph_hash={}", text(&checked, "graph_hash")));
    assert_eq!(api.get(&last).await.expect(200), checked);

    let version = json!({ "changelog": "Initial publish" });
    let version = api.post(&reader.path("/versions"), &version).await.expect(201);
    assert_eq!((&version["version"], &version["workflow_id"]), (&json!(1), &json!(reader.workflow)));
    has(&version, &["published_at", "graph_snapshot.steps"]);
    let again = api.post(&reader.path("/versions"), &json!({})).await.expect(200);
    assert_eq!(again["version"], 1);
    let listed = api.get(&reader.path("/versions")).await.expect(200);
    assert_eq!(listed["versions"][0]["version"], 1);
    let one = api.get(&reader.path("/versions/1")).await.expect(200);
    assert_eq!(one["graph_snapshot"], version["graph_snapshot"]);

    // Run setup: saved defaults, of which the request's keys win.
    let defaults = json!({ "run_setup": { "trigger_payload": { "topic": "weekly", "message": "default" } } });
    let patch = api.with("if-match", read["etag"].as_str().unwrap());
    patch.patch(&reader.path(""), &defaults).await.refused(412, "STALE");
    let etag = text(&api.get(&reader.path("")).await.expect(200), "etag");
    let changed = api.with("if-match", &etag).patch(&reader.path(""), &defaults).await.expect(200);
    assert_eq!(changed["run_setup"], defaults["run_setup"]);
    assert_eq!(api.post(&reader.path("/versions"), &json!({})).await.expect(201)["version"], 2);
    let listed = api.get("/v1/workflows?status=published&q=hello").await.expect(200);
    assert_eq!(
        (&listed["workflows"][0]["id"], &listed["workflows"][0]["latest_version"]),
        (&json!(reader.workflow), &json!(2))
    );
}

pub(super) async fn archive(reader: &Reader) {
    reader.api.delete(&reader.path("")).await.expect(204);
    let start = json!({ "command": "start", "params": {} });
    reader.api.post(&reader.path("/command"), &start).await.refused(409, "WORKFLOW_ARCHIVED");
    let listed = reader.api.get("/v1/workflows?q=hello").await.expect(200);
    assert_eq!(listed["workflows"], json!([]));
    let archived = reader.api.get("/v1/workflows?status=archived").await.expect(200);
    assert_eq!(archived["workflows"][0]["id"], *reader.workflow);
    assert_eq!(
        reader.api.post(&reader.path("/restore"), &json!({})).await.expect(200)["status"],
        "published"
    );
}
