//! MCP from registering a server to a workflow that calls its tools, against a stand-in on this machine.

use it::{McpStandIn, Run, TestApp, for_each, graph, human, lua_after, tool_call, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::ids::{Place, WorkflowId};

fn id(of: &Value) -> String {
    of["id"].as_str().expect("an id").to_owned()
}

async fn failure(run: &Run) -> Value {
    run.finished().await;
    run.summary().await["failure_code"].clone()
}

#[tokio::test]
async fn a_server_goes_from_a_draft_to_tools_that_a_workflow_calls() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let new = json!({ "name": "Back office", "canonical_url": mcp.url, "description": "d" });
    let server = acme.client.post("/v1/mcp/servers", &new).await.expect(201);
    assert_eq!((&server["service"], &server["status"]), (&json!("back_office"), &json!("draft")));
    acme.client.post("/v1/mcp/servers", &new).await.refused(409, "SERVICE_IN_USE");
    let path = format!("/v1/mcp/servers/{}", id(&server));
    let found = acme.client.post(&format!("{path}/discover"), &json!({})).await.expect(200);
    assert_eq!((&found["tool_count"], &found["server_name"]), (&json!(6), &json!("stand-in")));
    let version = json!({ "version": "1.0", "activate": true });
    let version = acme.client.post(&format!("{path}/versions"), &version).await.expect(201);
    assert_eq!(
        (&version["number"], &version["active"], &version["tool_count"]),
        (&json!(1), &json!(true), &json!(6))
    );
    acme.client
        .post(&format!("{path}/versions"), &json!({ "version": "1.0" }))
        .await
        .refused(409, "VERSION_EXISTS");
    let listed = acme.client.get(&format!("{path}/versions")).await.expect(200);
    assert_eq!(listed["versions"].as_array().unwrap().len(), 1);
    let server_now = acme.client.get(&path).await.expect(200);
    assert_eq!((&server_now["status"], &server_now["tool_count"]), (&json!("active"), &json!(6)));
    let validity = acme.client.post(&format!("{path}/validate"), &json!({})).await.expect(200);
    assert_eq!(validity["valid"], true, "{validity:#}");
    let names: Vec<_> =
        validity["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert_eq!(names, ["reachability", "handshake", "tools", "schema"]);

    let instance = json!({ "server_id": id(&server) });
    let instance = id(&acme.client.post("/v1/mcp/instances", &instance).await.expect(201));
    let tools = acme.client.get("/v1/mcp/tools?q=ADDS%20num").await.expect(200);
    assert_eq!(tools["tools"][0]["name"], "add");
    assert_eq!(tools["tools"][0]["instance_id"], *instance);
    let valid =
        acme.client.post(&format!("/v1/mcp/instances/{instance}/validate"), &json!({})).await.expect(200);
    assert_eq!(valid["valid"], true, "{valid:#}");
    let tried = format!("/v1/mcp/instances/{instance}/tools/add/call");
    let tried = acme.client.post(&tried, &json!({ "arguments": { "a": 1 } })).await.expect(200);
    assert_eq!(tried, json!({ "is_error": false, "result": { "sum": 41.0 } }));

    let steps = graph([
        tool_call("hello", &[], &instance, "echo", &json!({ "message": "{{ input.word }}" })),
        tool_call("sum", &[], &instance, "add", &json!({ "a": 2 })),
        lua_after(
            "end",
            &["hello", "sum"],
            "return { text = steps.hello.result.content[1].text, sum = steps.sum.result.sum }",
        ),
    ]);
    let run = acme.begin(&steps, json!({ "word": "hi" })).await;
    assert_eq!(run.finished().await["outputs"]["end"], json!({ "text": "hi", "sum": 42 }));
    let context = acme.client.get(&run.path("/context")).await.expect(200);
    assert_eq!(
        context["steps"]["hello"]["input"],
        json!({ "tool_name": "echo", "tool_args": { "message": "hi" } })
    );
    let key = |call: &it::ToolCall| call.meta["agentruntime/attempt"].as_str().unwrap_or_default().to_owned();
    let keys: Vec<String> = mcp.calls().iter().filter(|call| call.name == "echo").map(key).collect();
    assert_eq!(keys, [format!("{}/hello/1", run.id)]);
    // Validation, discovery, trying and the run: one session for all of them.
    assert_eq!(mcp.handshakes(), 1);
}

#[tokio::test]
async fn a_workflows_override_wins_over_the_profile_and_a_change_does_not_touch_a_run() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let live = acme.connection("live-key-123456").await;
    let sandbox = acme.connection("sandbox-key-1234").await;
    acme.mcp_profile(&instance, &live).await;
    let seen = |at: usize| mcp.calls()[at].authorization.clone();

    let workflow =
        acme.publish(&graph([tool_call("a", &[], &instance, "echo", &json!({ "message": "m" }))])).await;
    acme.begin_again(&workflow, json!({})).await.finished().await;
    assert_eq!(seen(0), "Bearer live-key-123456");
    let path = format!("/v1/workflows/{workflow}/connection-overrides");
    let overrides = json!({ "overrides": [{ "instance_id": instance, "connection_id": sandbox }] });
    assert_eq!(acme.client.put(&path, &overrides).await.expect(200), json!({ "status": "ok" }));
    assert_eq!(acme.client.get(&path).await.expect(200), overrides);
    acme.begin_again(&workflow, json!({})).await.finished().await;
    assert_eq!(seen(1), "Bearer sandbox-key-1234");

    // Started with the override, which goes while the run waits for a person.
    let waits = graph([
        human("ask", &[]),
        with(
            tool_call("a", &[], &instance, "echo", &json!({ "message": "m" })),
            &json!({ "depends_on": ["ask"] }),
        ),
    ]);
    let workflow = acme.publish(&waits).await;
    let path = format!("/v1/workflows/{workflow}/connection-overrides");
    acme.client.put(&path, &overrides).await.expect(200);
    let run = acme.begin_again(&workflow, json!({})).await;
    while run.tasks().await.is_empty() {
        tokio::task::yield_now().await;
    }
    acme.client.put(&path, &json!({ "overrides": [] })).await.expect(200);
    run.approve("ask").await;
    assert_eq!(run.finished().await["status"], "completed");
    assert_eq!(seen(2), "Bearer sandbox-key-1234");

    let nobody = WorkflowId::new(app.state.clock.now());
    for (wrong, pairs) in [
        (
            "twice",
            json!([{ "instance_id": instance, "connection_id": live }, { "instance_id": instance, "connection_id": sandbox }]),
        ),
        ("no instance", json!([{ "instance_id": nobody, "connection_id": live }])),
        ("no connection", json!([{ "instance_id": instance, "connection_id": nobody }])),
    ] {
        let refused =
            acme.client.put(&path, &json!({ "overrides": pairs })).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(wrong), "{refused:#}");
    }
}

#[tokio::test]
async fn no_secret_is_left_in_what_a_step_leaves_behind() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let connection = acme.connection("s3cret-\"quoted\"-key").await;
    let spec = json!({ "connection_id": connection, "inject": [
        { "credential_key": "api_key", "as": "bearer" },
        { "credential_key": "api_key", "as": "header", "name": "X-Api-Key" },
        { "credential_key": "api_key", "as": "query", "name": "key" },
    ] });
    let profiles = format!("/v1/mcp/instances/{instance}/config-profiles");
    acme.client.post(&profiles, &json!({ "name": "P", "source_spec": spec })).await.expect(201);
    let run = acme.begin(&graph([tool_call("a", &[], &instance, "leak", &json!({}))]), json!({})).await;
    assert_eq!(run.finished().await["outputs"]["a"], json!({ "saw": "Bearer •••", "key": "•••" }));
    let call = &mcp.calls()[0];
    assert_eq!(
        (&*call.authorization, &*call.api_key),
        ("Bearer s3cret-\"quoted\"-key", "s3cret-\"quoted\"-key")
    );
    assert_eq!(call.query, "key=s3cret-%22quoted%22-key");
    for path in ["", "/summary", "/events", "/context"] {
        let view = acme.client.get(&run.path(path)).await.expect(200).to_string();
        assert!(!view.contains("s3cret"), "{path}: {view}");
    }
    let tried = format!("/v1/mcp/instances/{instance}/tools/leak/call");
    let tried = acme.client.post(&tried, &json!({})).await.expect(200);
    assert!(!tried.to_string().contains("s3cret"), "{tried:#}");
}

#[tokio::test]
async fn names_of_headers_and_parameters_are_trimmed() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let connection = acme.connection("a-key-of-twenty").await;
    let profiles = format!("/v1/mcp/instances/{instance}/config-profiles");
    let profile = |place: &str, name: &str| {
        let inject = json!([{ "credential_key": "api_key", "as": place, "name": name }]);
        json!({ "name": "P", "source_spec": { "connection_id": connection, "inject": inject } })
    };
    for (place, name) in
        [("header", " "), ("header", "X Api"), ("header", "X:"), ("query", "\t"), ("query", "a\nb")]
    {
        let refused = acme.client.post(&profiles, &profile(place, name)).await;
        let refused = refused.refused(422, "INVALID_REQUEST");
        let error = refused["error"].as_str().unwrap();
        assert!(error.starts_with("source_spec.inject[0].name:"), "{place} {name:?}: {error}");
    }
    let made = acme.client.post(&profiles, &profile("header", " X-Api-Key\r\n")).await.expect(201);
    assert_eq!(made["source_spec"]["inject"][0]["name"], "X-Api-Key");
    let call = format!("/v1/mcp/instances/{instance}/tools/echo/call");
    let try_it =
        async || acme.client.post(&call, &json!({ "arguments": { "message": "m" } })).await.expect(200);
    try_it().await;
    assert_eq!(mcp.calls()[0].api_key, "a-key-of-twenty");
    let patch = format!("{profiles}/{}", made["id"].as_str().unwrap());
    acme.client.patch(&patch, &profile("query", "\u{a0}key ")).await.expect(200);
    try_it().await;
    assert_eq!(mcp.calls()[1].query, "key=a-key-of-twenty");
}

#[tokio::test]
async fn failures_of_tools_are_retried_where_another_attempt_may_pass() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    mcp.fail_next(1);
    let retried = json!({ "retry_count": 1, "retry_backoff_s": 0 });
    let run = acme
        .begin(&graph([with(tool_call("a", &[], &instance, "flaky", &json!({})), &retried)]), json!({}))
        .await;
    assert_eq!(run.finished().await["outputs"]["a"], json!([1]));
    let keys: Vec<_> = mcp.calls().iter().map(|call| call.meta["agentruntime/attempt"].clone()).collect();
    assert_eq!(keys, [json!(format!("{}/a/1", run.id)), json!(format!("{}/a/2", run.id))]);

    let run = acme
        .begin(&graph([with(tool_call("a", &[], &instance, "fail", &json!({})), &retried)]), json!({}))
        .await;
    assert_eq!(failure(&run).await, "MCP_TOOL_FAILED");
    let failed: Vec<Value> =
        run.events().await.into_iter().filter(|event| event["event_type"] == "step_failed").collect();
    assert_eq!(failed.len(), 2, "isError may pass");
    assert!(failed[1]["data"]["error"].as_str().unwrap().contains("no such ticket"));

    let calls_before = mcp.calls().len();
    let wrong = with(tool_call("a", &[], &instance, "add", &json!({ "a": "{{ input.a }}" })), &retried);
    let run = acme.begin(&graph([wrong]), json!({ "a": "text" })).await;
    assert_eq!(failure(&run).await, "MCP_TOOL_FAILED");
    assert_eq!(mcp.calls().len(), calls_before, "refused before the call");
}

#[tokio::test]
async fn a_hundred_calls_of_a_loop_go_side_by_side() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let items: Vec<u32> = (0..100).collect();
    let each = with(
        for_each(
            "each",
            &json!(items),
            &[tool_call("add", &[], &instance, "add", &json!({ "a": "{{ item }}" }))],
        ),
        &json!({ "for_each_max_parallel": 100 }),
    );
    let run = acme.begin(&graph([each]), json!({})).await;
    let done = run.finished().await;
    assert_eq!(done["status"], "completed", "{done:#}");
    assert_eq!(done["outputs"]["each"]["results"][99]["result"], json!({ "sum": 139.0 }));
    assert_eq!((mcp.calls().len(), mcp.handshakes()), (100, 1));
    let mut keys: Vec<String> =
        mcp.calls().iter().map(|call| call.meta["agentruntime/attempt"].to_string()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 100);
}

#[tokio::test]
async fn a_stop_ends_a_call_that_is_under_way() {
    let (app, mcp) = (TestApp::start().await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let run = acme.begin(&graph([tool_call("a", &[], &instance, "wait", &json!({}))]), json!({})).await;
    while mcp.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    run.command("stop", None).await.expect(200);
    assert_eq!(run.finished().await["status"], "stopped");
    assert_eq!(run.outcomes().await, ["a cancelled"]);
    // The server is told, so that it need not go on either.
    while mcp.cancelled() == 0 {
        tokio::task::yield_now().await;
    }
    // Its permit comes back: nobody waits for the answer any more.
    while app.state.calls.held() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dry_run_knows_servers_tools_and_arguments() {
    let (app, mcp) = (TestApp::without_worker(Clock::System).await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let graph = graph([
        tool_call("fine", &[], &instance, "add", &json!({ "a": 1 })),
        tool_call("no_tool", &[], &instance, "ad", &json!({})),
        tool_call("bad_args", &[], &instance, "add", &json!({ "a": "x", "z": 1 })),
        json!({ "id": "no_server", "type": "mcp_call", "server_url": "https://nowhere.example/mcp", "tool_name": "t" }),
        json!({ "id": "catalog", "type": "mcp_call", "server_url": "https://mcp.deepwiki.com/mcp", "tool_name": "t" }),
        json!({ "id": "by_url", "type": "mcp_call", "server_url": mcp.url, "tool_name": "echo", "tool_args": { "message": "m" } }),
    ]);
    let report = acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await.expect(200);
    let issues = report["issues"].as_array().unwrap();
    let mut found: Vec<String> = issues
        .iter()
        .map(|issue| format!("{} {}", issue["step_id"].as_str().unwrap(), issue["code"].as_str().unwrap()))
        .collect();
    found.sort();
    found.dedup();
    let expected = [
        "bad_args mcp_args_invalid",
        "catalog mcp_instance_will_be_made",
        "no_server mcp_server_not_found",
        "no_tool mcp_tool_not_found",
    ];
    assert_eq!(found, expected, "{report:#}");
    let resolved =
        acme.client.post("/v1/mcp/instances/resolve", &json!({ "graph": graph })).await.expect(200);
    let status = |key: &str, value: &str| {
        let all = resolved["resolutions"].as_array().unwrap();
        all.iter().find(|each| each[key] == value).unwrap()["status"].clone()
    };
    assert_eq!(status("instance_id", &instance), "resolved");
    assert_eq!(status("server_url", &mcp.url), "resolved");
    assert_eq!(status("server_url", "https://mcp.deepwiki.com/mcp"), "will_be_created");
    assert_eq!(status("server_url", "https://nowhere.example/mcp"), "not_found");
}

#[tokio::test]
async fn an_entry_of_the_catalog_becomes_an_instance_with_one_call_or_at_a_runs_start() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let catalog = acme.client.get("/v1/mcp/platform-catalog").await.expect(200);
    assert!(catalog["entries"].as_array().unwrap().iter().any(|entry| entry["id"] == "github"));
    let made = acme.client.post("/v1/mcp/instances", &json!({ "catalog_id": "github" })).await.expect(201);
    let again = acme.client.post("/v1/mcp/instances", &json!({ "catalog_id": "github" })).await.expect(201);
    assert_eq!(made["server_id"], again["server_id"]);
    acme.client
        .post("/v1/mcp/instances", &json!({ "catalog_id": "nobody" }))
        .await
        .refused(422, "INVALID_REQUEST");
    let step = json!({ "id": "a", "type": "mcp_call", "server_url": "https://mcp.deepwiki.com/mcp", "tool_name": "t" });
    let workflow = acme.publish(&graph([step])).await;
    for _ in 0..2 {
        acme.command_start(&workflow, json!({})).await.expect(200);
        let servers = acme.client.get("/v1/mcp/servers").await.expect(200);
        let wikis =
            servers["servers"].as_array().unwrap().iter().filter(|server| server["catalog_id"] == "deepwiki");
        assert_eq!(wikis.count(), 1);
    }
}

#[tokio::test]
async fn profiles_are_checked_and_one_of_them_counts() {
    let (app, mcp) = (TestApp::without_worker(Clock::System).await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let new = json!({ "name": "Back office", "canonical_url": mcp.url });
    let server = id(&acme.client.post("/v1/mcp/servers", &new).await.expect(201));
    acme.client.post(&format!("/v1/mcp/servers/{server}/discover"), &json!({})).await.expect(200);
    let schema =
        json!({ "type": "object", "required": ["region"], "properties": { "region": { "type": "string" } } });
    let version = json!({ "activate": true, "config_schema": schema });
    acme.client.post(&format!("/v1/mcp/servers/{server}/versions"), &version).await.expect(201);
    let instance = acme.client.post("/v1/mcp/instances", &json!({ "server_id": server })).await.expect(201);
    let instance = id(&instance);
    let key = acme.connection("a-key-of-twenty").await;
    let profiles = format!("/v1/mcp/instances/{instance}/config-profiles");
    for (wrong, spec) in [
        ("config", json!({ "config": { "region": 5 } })),
        (
            "connection_id",
            json!({ "config": { "region": "eu" }, "inject": [{ "credential_key": "api_key", "as": "bearer" }] }),
        ),
        (
            "no key",
            json!({ "config": { "region": "eu" }, "connection_id": key, "inject": [{ "credential_key": "other", "as": "bearer" }] }),
        ),
        (
            "header",
            json!({ "config": { "region": "eu" }, "connection_id": key, "inject": [{ "credential_key": "api_key", "as": "header", "name": "Host" }] }),
        ),
    ] {
        let refused = acme.client.post(&profiles, &json!({ "name": "P", "source_spec": spec })).await;
        let refused = refused.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(wrong), "{refused:#}");
    }
    let spec = json!({ "config": { "region": "eu" }, "connection_id": key });
    let first = acme.client.post(&profiles, &json!({ "name": "One", "source_spec": spec })).await.expect(201);
    assert_eq!(first["active"], true, "the first counts at once");
    let second = json!({ "name": "Two", "source_spec": { "config": { "region": "us" } } });
    let second = acme.client.post(&profiles, &second).await.expect(201);
    assert_eq!(second["active"], false);
    let here = Place { tenant_id: "acme".parse().unwrap(), project_id: "default".parse().unwrap() };
    let users = app.state.store.connection_users(&here, key.parse().unwrap()).await.unwrap();
    assert_eq!(users.len(), 1);
    let set = format!("{profiles}/{}/set-active", id(&second));
    assert_eq!(acme.client.post(&set, &json!({})).await.expect(200)["active"], true);
    assert!(app.state.store.connection_users(&here, key.parse().unwrap()).await.unwrap().is_empty());
    let renamed =
        acme.client.patch(&format!("{profiles}/{}", id(&first)), &json!({ "name": "Uno" })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["active"]), (&json!("Uno"), &json!(false)));
    assert_eq!(acme.client.get(&profiles).await.expect(200)["config_profiles"].as_array().unwrap().len(), 2);

    let server = format!("/v1/mcp/servers/{server}");
    acme.client.delete(&server).await.refused(409, "MCP_SERVER_IN_USE");
    acme.client.patch(&server, &json!({ "status": "disabled" })).await.expect(200);
    let workflow =
        acme.create(&graph([tool_call("a", &[], &instance, "echo", &json!({ "message": "m" }))])).await;
    acme.client.post(&format!("/v1/workflows/{workflow}/versions"), &json!({})).await.expect(201);
    acme.command_start(&workflow, json!({})).await.refused(409, "MCP_INSTANCE_DISABLED");
    acme.client.delete(&format!("/v1/mcp/instances/{instance}")).await.expect(204);
    acme.command_start(&workflow, json!({})).await.refused(422, "MCP_INSTANCE_NOT_FOUND");
    acme.client.delete(&server).await.expect(204);
    acme.client.get(&server).await.refused(404, "NOT_FOUND");
    acme.client.post("/v1/mcp/servers", &new).await.expect(201);
}
