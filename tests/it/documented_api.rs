//! The hosted product's API pages, call by call, as a client that was written by them calls: what they send, with values
//! of ours, and the statuses and fields that they promise. A section of the file is a section of the pages.

use it::{
    Client, McpClient, McpStandIn, Sender, StripeStandIn, TestApp, Workspace, graph, human, lua, lua_after,
    tool_call,
};
use serde_json::{Value, json};
use shared::types::clock::Clock;

/// Each of these fields is there.
#[track_caller]
fn has(answer: &Value, fields: &[&str]) {
    for field in fields {
        let pointer = format!("/{}", field.replace('.', "/"));
        assert!(
            answer.pointer(&pointer).is_some_and(|value| !value.is_null()),
            "{field} is not in {answer:#}"
        );
    }
}

#[track_caller]
fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer:#}")).to_owned()
}

/// A client as the page "Authentication" sets it up.
struct Reader {
    app: TestApp,
    acme: Workspace,
    api: Client,
    workflow: String,
}

impl Reader {
    fn path(&self, rest: &str) -> String {
        format!("/v1/workflows/{}{rest}", self.workflow)
    }

    async fn command(&self, command: &str, params: Value) -> Value {
        let body = json!({ "command": command, "params": params });
        self.api.post(&self.path("/command"), &body).await.expect(200)
    }
}

#[tokio::test]
async fn the_documented_calls_work_as_they_stand() {
    let stripe = StripeStandIn::start(Clock::System).await;
    let app = TestApp::selling(Clock::System, &stripe).await;
    let acme = app.workspace("acme").await;
    let api = acme.client.with("x-tenant-id", "acme").with("x-project-id", "default");
    let api = api.with("content-type", "application/json");
    assert_eq!(api.get("/v1/workflows").await.expect(200), json!({ "workflows": [] }));
    let workflow = create_a_workflow(&api).await;
    let reader = Reader { app, acme, api, workflow };
    change_and_publish(&reader).await;
    let run = start_a_run(&reader).await;
    read_a_run(&reader, &run).await;
    pause_resume_stop(&reader).await;
    complete_a_human_task(&reader).await;
    failures_in_events(&reader).await;
    recover_a_run(&reader).await;
    inbound_webhooks(&reader).await;
    let connection = connections(&reader).await;
    register_an_mcp_server(&reader, &connection).await;
    tokens(&reader).await;
    billing(&reader).await;
    analytics(&reader).await;
    models(&reader).await;
    errors(&reader).await;
    platform_mcp(&reader).await;
    archive(&reader).await;
}

async fn create_a_workflow(api: &Client) -> String {
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

async fn change_and_publish(reader: &Reader) {
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

async fn start_a_run(reader: &Reader) -> String {
    let params = json!({ "customer_email": "kim@example.com", "order_id": "12345" });
    let started = reader.command("start", params.clone()).await;
    assert_eq!((&started["status"], &started["workflow_id"]), (&json!("running"), &json!(reader.workflow)));
    has(&started, &["run_id", "started_at", "version"]);
    reader.app.work().await;
    let run = text(&started, "run_id");
    let context = reader.api.get(&reader.path(&format!("/runs/{run}/context"))).await.expect(200);
    assert_eq!(context["input"], params, "the params are the input");
    assert_eq!(context["steps"]["ping"]["result"], json!({ "message": "ok", "input": params }));

    let given = json!({
        "trigger_type": "api",
        "trigger_payload": { "message": "Hello" },
        "trigger_steps": { "ping": { "prompt": "for this step" } },
        "use_run_setup_defaults": true
    });
    let started = reader.command("start", given).await;
    reader.app.work().await;
    let path = reader.path(&format!("/runs/{}/context", text(&started, "run_id")));
    let context = reader.api.get(&path).await.expect(200);
    assert_eq!(context["input"], json!({ "topic": "weekly", "message": "Hello" }), "request keys win");
    assert_eq!(context["steps"]["ping"]["result"]["input"]["prompt"], "for this step");

    // A client's own run id, and a wait for the end.
    let own = "0199c000-0000-4000-8000-00000000000a";
    assert_eq!(reader.command("start", json!({ "run_id": own })).await["run_id"], own);
    assert_eq!(reader.command("start", json!({ "run_id": own })).await["run_id"], own);
    reader.app.work().await;
    let command = json!({ "command": "start", "params": { "run_id": own } });
    let waited =
        reader.api.with("prefer", "wait=5").post(&reader.path("/command"), &command).await.expect(200);
    assert_eq!(
        (&waited["status"], &waited["outputs"]["ping"]["message"]),
        (&json!("completed"), &json!("ok"))
    );
    run
}

async fn read_a_run(reader: &Reader, run: &str) {
    let of_run =
        async |rest: &str| reader.api.get(&reader.path(&format!("/runs/{run}{rest}"))).await.expect(200);
    let whole = of_run("?wait_s=1").await;
    has(
        &whole,
        &[
            "run_id",
            "workflow_id",
            "version",
            "status",
            "trigger_type",
            "started_at",
            "ended_at",
            "outputs.ping",
        ],
    );
    assert_eq!(
        (&whole["steps"][0]["id"], &whole["steps"][0]["status"]),
        (&json!("ping"), &json!("completed"))
    );
    has(&whole["steps"][0], &["attempt", "started_at", "ended_at", "name", "type"]);
    let summary = of_run("/summary").await;
    assert_eq!((&summary["status"], &summary["run_complete"]), (&json!("completed"), &json!(true)));
    has(
        &summary,
        &[
            "orchestration_phase",
            "steps.total",
            "steps.completed",
            "pending_tasks",
            "credits_used_microcredits",
            "tokens_in",
            "tokens_out",
        ],
    );
    let events = of_run("/events").await;
    let events = events["events"].as_array().unwrap();
    let types: Vec<&str> = events.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    for expected in ["run_started", "step_started", "step_completed", "state_changed"] {
        assert!(types.contains(&expected), "{expected}: {types:?}");
    }
    for event in events {
        has(event, &["id", "seq", "run_id", "event_type", "data"]);
    }
    let later = of_run("/events?after=1&limit=1&wait_s=1").await;
    assert_eq!(later["events"][0]["seq"], 2);
    let of_workflow = reader.api.get(&reader.path("/runs?status=completed&limit=100")).await.expect(200);
    assert!(
        of_workflow["runs"].as_array().unwrap().iter().any(|each| each["run_id"] == run),
        "{of_workflow:#}"
    );
    let feed = reader
        .api
        .get(&format!("/v1/runs?workflow_id={}&project_id=default", reader.workflow))
        .await
        .expect(200);
    has(&feed["runs"][0], &["run_id", "workflow_id", "project_id", "status", "started_at"]);
}

async fn pause_resume_stop(reader: &Reader) {
    for mode in [None, Some("immediate"), Some("graceful")] {
        let run = text(&reader.command("start", json!({})).await, "run_id");
        let paused = reader.command("pause", json!({ "run_id": run })).await;
        assert_eq!(paused, json!({ "run_id": run, "status": "paused", "workflow_id": reader.workflow }));
        assert_eq!(reader.command("resume", json!({ "run_id": run })).await["status"], "running");
        reader.command("pause", json!({ "run_id": run })).await;
        let stop = match mode {
            None => json!({ "run_id": run }),
            Some(mode) => json!({ "run_id": run, "mode": mode }),
        };
        assert_eq!(reader.command("stop", stop).await["status"], "stopped");
    }
    reader.app.work().await;
}

async fn complete_a_human_task(reader: &Reader) {
    let asks = graph([
        json!({ "id": "approve-review", "type": "human_task", "task_type": "approval",
                "task_payload": { "title": "Post it?", "comment_body": "draft" } }),
        json!({ "id": "post", "type": "lua_script", "depends_on": ["approve-review"],
                "script": "return steps['approve-review'].result" }),
    ]);
    let workflow = reader.acme.publish(&asks).await;
    let run = reader.acme.start(&workflow, json!({})).await;
    reader.app.work().await;
    let of_run = format!("/v1/workflows/{workflow}/runs/{run}");
    let open = reader.api.get(&format!("{of_run}/tasks/pending")).await.expect(200);
    has(
        &open["tasks"][0],
        &["id", "run_id", "workflow_id", "workflow_name", "step_id", "task_type", "payload", "created_at"],
    );
    assert_eq!(open["tasks"][0]["payload"]["title"], "Post it?");
    let inbox = reader.api.get("/v1/tasks/pending").await.expect(200);
    assert!(inbox["tasks"].as_array().unwrap().iter().any(|task| task["run_id"] == *run), "{inbox:#}");
    let answer = json!({ "approved": true, "result": { "comment_body": "edited" } });
    let complete = format!("{of_run}/tasks/approve-review/complete");
    let done = reader.api.post(&complete, &answer).await.expect(200);
    assert_eq!(done, json!({ "status": "completed", "task_id": "approve-review", "approved": true }));
    reader.api.post(&complete, &json!({ "approved": true })).await.refused(409, "TASK_CLOSED");
    reader.app.work().await;
    let context = reader.api.get(&format!("{of_run}/context")).await.expect(200);
    assert_eq!(context["steps"]["post"]["result"]["comment_body"], "edited", "{context:#}");
    assert_eq!(context["steps"]["post"]["result"]["approved"], true, "the result always says so");
}

async fn failures_in_events(reader: &Reader) {
    let fails = graph([
        lua("bad", "error('no such order')"),
        lua_after("after", &["bad"], "return {}"),
        json!({ "id": "off", "type": "lua_script", "enabled": false, "script": "return {}" }),
    ]);
    let workflow = reader.acme.publish(&fails).await;
    let run = reader.acme.start(&workflow, json!({})).await;
    reader.app.work().await;
    let events =
        reader.api.get(&format!("/v1/workflows/{workflow}/runs/{run}/events?limit=100")).await.expect(200);
    let events = events["events"].as_array().unwrap().clone();
    let of_step = |step: &str, kind: &str| {
        let event = events.iter().find(|event| event["step_id"] == step && event["event_type"] == kind);
        event.unwrap_or_else(|| panic!("no {kind} of {step} in {events:#?}")).clone()
    };
    assert!(of_step("bad", "step_failed")["data"].to_string().contains("no such order"));
    for (step, reason) in [("after", "blocked"), ("off", "step_disabled")] {
        let skipped = of_step(step, "step_completed");
        assert_eq!(
            (&skipped["data"]["skipped"], &skipped["data"]["reason"]),
            (&json!(true), &json!(reason)),
            "{step}"
        );
    }
}

async fn recover_a_run(reader: &Reader) {
    let steps =
        |script: &str| graph([lua("first", "return { n = 1 }"), lua_after("second", &["first"], script)]);
    let workflow = reader.acme.publish(&steps("error('down')")).await;
    let failed = reader.acme.start(&workflow, json!({ "q": 1 })).await;
    reader.app.work().await;
    let path = format!("/v1/workflows/{workflow}");
    let retried =
        reader.api.post(&format!("{path}/runs/{failed}/retry"), &json!({ "from_step_id": "second" })).await;
    has(&retried.expect(200), &["run_id", "status"]);
    reader.app.work().await;
    reader
        .api
        .patch(&path, &json!({ "graph": steps("return { n = steps.first.result.n + 1 }") }))
        .await
        .expect(200);
    reader.api.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    let resume =
        json!({ "command": "start", "params": { "resume_from_run_id": failed, "from_step_id": "second" } });
    let resumed = reader.api.post(&format!("{path}/command"), &resume).await.expect(200);
    reader.app.work().await;
    let run = reader.api.get(&format!("{path}/runs/{}", text(&resumed, "run_id"))).await.expect(200);
    assert_eq!(
        (&run["status"], &run["outputs"]["second"]),
        (&json!("completed"), &json!({ "n": 2 })),
        "{run:#}"
    );
}

async fn inbound_webhooks(reader: &Reader) {
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

async fn connections(reader: &Reader) -> String {
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

async fn register_an_mcp_server(reader: &Reader, connection: &str) {
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

async fn tokens(reader: &Reader) {
    let new = json!({ "display_name": "CI deploy", "scopes": ["workflow:read", "workflow:run"] });
    let made = reader.api.post("/v1/pats", &new).await.expect(201);
    has(&made, &["id", "created_at"]);
    assert_eq!((&made["display_name"], &made["scopes"]), (&new["display_name"], &new["scopes"]));
    let token = text(&made, "token");
    assert!(token.starts_with("pat_"));
    let path = format!("/v1/pats/{}", text(&made, "id"));
    let bearer = reader.app.anyone.bearer(&token).with("x-tenant-id", "acme");
    let ci = bearer.with("x-project-id", "default");
    ci.get("/v1/workflows").await.expect(200);
    ci.post("/v1/workflows", &json!({})).await.refused(403, "SCOPE_MISSING");
    bearer.with("x-project-id", "prod").get("/v1/workflows").await.refused(403, "WRONG_PLACE");
    let listed = reader.api.get("/v1/pats").await.expect(200);
    assert!(!listed.to_string().contains(&token), "{listed:#}");
    has(&listed["pats"][0], &["id", "display_name", "token_hint", "created_at"]);
    reader.api.get(&format!("{path}/reveal")).await.refused(410, "ALREADY_SHOWN");
    reader.api.delete(&path).await.expect(204);
}

async fn billing(reader: &Reader) {
    let api = &reader.api;
    let read = async |what: &str| api.get(&format!("/v1/billing/{what}")).await.expect(200);
    reader.app.grant("acme", "payg", 5_000_000, "documented").await;
    let usage = read("usage").await;
    has(&usage, &["trial_remaining", "included_remaining", "payg_remaining", "total_remaining_microcredits"]);
    let plans = read("plans").await;
    let plan = |code: &str| {
        plans["plans"].as_array().unwrap().iter().find(|plan| plan["plan_code"] == code).cloned()
    };
    has(
        &plan("pro").unwrap(),
        &[
            "stripe_price_id",
            "amount",
            "currency",
            "interval",
            "interval_count",
            "product_name",
            "trial_enabled",
            "trial_requires_card",
            "trial_days",
            "trial_credits_granted",
            "onboarding_default",
            "self_serve_onboarding",
        ],
    );
    assert_eq!(
        (&plan("free").unwrap()["amount"], &plan("free").unwrap()["trial_enabled"]),
        (&json!(0), &json!(false))
    );
    assert!(!plans.to_string().contains("product_code"));
    for what in ["summary", "status", "usage-dimensions", "usage-history", "payment-history"] {
        assert!(read(what).await.is_object(), "{what}");
    }
    let prices = read("action-pricing").await;
    has(&prices["actions"][0], &["action", "unit", "microcredits"]);
    has(&api.get("/v1/config/stripe").await.expect(200), &["publishable_key"]);
    api.post("/v1/billing/trial", &json!({})).await.expect(200);
    assert_ne!(read("usage").await["trial_remaining"], 0);
    let topup = json!({ "amount_cents": 2000, "microcredits": 20_000_000, "currency": "usd", "idempotency_key": "k1" });
    assert!(api.post("/v1/billing/topups/payg/intent", &topup).await.expect(200).is_object());
}

async fn analytics(reader: &Reader) {
    let figures = [
        "live-runs",
        "success-rate",
        "execution-duration",
        "runs-count",
        "steps-executed",
        "credits-consumed",
        "steps-summary",
        "runs-timeseries",
        "usage-timeseries",
    ];
    for figure in figures {
        for query in ["", "?window=week", "?window=all", "?from=2026-01-01T00:00:00Z&to=2026-01-08T00:00:00Z"]
        {
            let answer = reader.api.get(&format!("/v1/analytics/{figure}{query}")).await.expect(200);
            assert!(answer.is_object(), "{figure}");
        }
    }
    let series =
        reader.api.get("/v1/analytics/runs-timeseries?window=month&granularity=day").await.expect(200);
    assert!(series.is_object());
}

async fn models(reader: &Reader) {
    let api = &reader.api;
    let catalog = api.get("/v1/llm-provider-keys/catalog").await.expect(200);
    has(&catalog, &["providers"]);
    let key = api
        .post("/v1/llm-provider-keys", &json!({ "provider": "openai", "api_key": "sk-of-the-page" }))
        .await;
    let key = key.expect(201);
    assert!(!key.to_string().contains("sk-of-the-page"), "{key:#}");
    let resolved =
        api.post("/v1/llm/resolve", &json!({ "model_ref": "direct.openai.gpt-4o-mini" })).await.expect(200);
    has(&resolved, &["provider", "model"]);
    let path = format!("/v1/llm-provider-keys/{}", text(&key, "id"));
    api.post(&format!("{path}/rotate"), &json!({ "api_key": "sk-another" })).await.expect(200);
    assert!(!api.get("/v1/llm-provider-keys").await.expect(200).to_string().contains("sk-another"));
    api.delete(&path).await.expect(204);
}

async fn errors(reader: &Reader) {
    let unreadable = reader.api.send("POST", "/v1/workflows", "{").await.expect(400);
    has(&unreadable, &["error", "code", "request_id"]);
    reader.app.anyone.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    let absent = "/v1/workflows/0199c000-0000-7000-8000-000000000001";
    let answer = reader.api.get(absent).await;
    assert!(answer.header("x-request-id").is_some());
    for header in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert!(answer.header(header).is_some(), "{header}");
    }
    answer.refused(404, "NOT_FOUND");
    let unknown =
        reader.api.post("/v1/workflows", &json!({ "name": "n", "graph": {}, "colour": "red" })).await;
    let unknown = unknown.expect(422);
    assert!(unknown["error"].as_str().unwrap().contains("colour"), "{unknown:#}");
    let bad = json!({ "graph": { "steps": [{ "id": "a", "type": "lua_script", "script": "return 1 +" }] } });
    let checked = reader.api.post("/v1/workflows/validate", &bad).await.expect(200);
    has(&checked["issues"][0], &["severity", "code", "step_id", "message"]);
    let keyed = reader.api.with("idempotency-key", "documented");
    let new = json!({ "name": "once", "graph": graph([lua("a", "return {}")]) });
    let first = keyed.post("/v1/workflows", &new).await.expect(201);
    assert_eq!(keyed.post("/v1/workflows", &new).await.expect(201)["id"], first["id"]);
    let other = json!({ "name": "twice", "graph": graph([lua("a", "return {}")]) });
    keyed.post("/v1/workflows", &other).await.expect(409);
}

async fn platform_mcp(reader: &Reader) {
    // As an IDE is set up: the address and the bearer, nothing else.
    let ide = McpClient::new(&reader.app.anyone.bearer(&reader.acme.token));
    let health = ide.call("ar_health_summary", &json!({})).await;
    assert_eq!(health["status"], "ok");
    let listed = ide.call("workflows_list", &json!({ "q": "hello" })).await;
    assert_eq!(listed["workflows"][0]["id"], *reader.workflow);
    let start = json!({ "workflow_id": reader.workflow, "command": "start", "params": { "env": "staging" } });
    let started = ide.call("workflows_execute_command", &start).await;
    has(&started, &["run_id", "status", "workflow_id"]);
    reader.app.work().await;
    let of_run = json!({ "workflow_id": reader.workflow, "run_id": started["run_id"] });
    let summary = ide.call("runs_get_summary", &of_run).await;
    has(&summary, &["orchestration_phase", "run_complete"]);
    assert_eq!(ide.call("runs_get_context", &of_run).await["input"], json!({ "env": "staging" }));
    let instances =
        ide.call("catalog_bff_request", &json!({ "method": "GET", "path": "/v1/mcp/instances" })).await;
    let instance = text(&instances["body"]["instances"][0], "id");
    let path = format!("/v1/mcp/instances/{instance}/validate");
    ide.call("catalog_bff_request", &json!({ "method": "POST", "path": path })).await;
    ide.call("catalog_bff_request", &json!({ "method": "GET", "path": "/v1/mcp/platform-catalog" })).await;
    let read = json!({ "workflow_id": reader.workflow, "run_id": started["run_id"], "duration_s": 1 });
    assert_eq!(ide.call("workflows_stream_websocket", &read).await["stopped_by"], "run_over");

    // As the authoring skill goes about it.
    let ready = ide.call("catalog_connectors_browse", &json!({ "page": 1, "page_size": 100 })).await;
    assert_eq!(ready["groups"]["ready"]["connectors"][0]["connector"], "internal_tools", "{ready:#}");
    let search = json!({ "tools": ["add"], "query": "adds", "page": 1, "page_size": 100 });
    let found = ide.call("catalog_tools_search", &search).await;
    assert_eq!(found["connectors"][0]["instances"][0]["instance_id"], *instance);
    assert_eq!(found["connectors"][0]["instances"][0]["has_connection"], true);
    let schemas = ide.call("catalog_tools_schema", &json!({ "tools": ["add", "no_such_tool"] })).await;
    has(&schemas["tools"][0], &["name", "input_schema"]);
    assert_eq!(schemas["errors"][0]["code"], "not_found");
    let made = ide
        .call("workflows_create", &json!({ "name": "authored", "graph": graph([lua("a", "return {}")]) }))
        .await;
    let steps = graph([
        human("review", &[]),
        lua_after("after", &["review"], "return { ok = steps.review.result.approved }"),
    ]);
    let id = made["id"].clone();
    ide.call("workflows_update", &json!({ "workflow_id": id, "graph": steps })).await;
    let check = json!({ "workflow_id": id, "graph": steps, "params": { "trigger_payload": { "message_text": "Hi" } } });
    let checked = ide.call("workflows_validate", &check).await;
    assert_eq!(checked["valid"], true, "{checked:#}");
    has(&checked, &["issues", "checks_performed", "blockers", "validation_evidence"]);
    assert_eq!(checked["topological_order"], json!(["review", "after"]));
    ide.call("workflows_publish_version", &json!({ "workflow_id": id })).await;
    let run = ide.call("workflow_run", &json!({ "workflow_id": id, "wait": false })).await;
    reader.app.work().await;
    let of_run = json!({ "workflow_id": id, "run_id": run["run_id"] });
    assert_eq!(ide.call("workflow_inspect", &of_run).await["tasks"][0]["step_id"], "review");
    ide.call("workflow_approve", &of_run).await;
    reader.app.work().await;
    assert_eq!(ide.call("workflow_await", &of_run).await["outputs"], json!({ "after": { "ok": true } }));
}

async fn archive(reader: &Reader) {
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
