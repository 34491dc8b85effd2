//! Every tool: how it is listed, what it answers, and what becomes of arguments that are not meant well.

use std::collections::BTreeSet;

use it::{McpClient, TestApp, Workspace, graph, human, lua};
use jsonschema::Validator;
use serde_json::{Value, json};
use shared::types::clock::Clock;

/// The tools that every deployment has.
pub const TOOLS: &[&str] = &[
    "analytics_credits_consumed",
    "analytics_execution_duration",
    "analytics_live_runs",
    "analytics_runs_count",
    "analytics_runs_timeseries",
    "analytics_steps_executed",
    "analytics_steps_summary",
    "analytics_success_rate",
    "analytics_usage_timeseries",
    "ar_get_started",
    "ar_health_summary",
    "catalog_bff_request",
    "catalog_connectors_browse",
    "catalog_servers_get",
    "catalog_tools_list",
    "catalog_tools_schema",
    "catalog_tools_search",
    "inbound_webhooks_delete",
    "inbound_webhooks_list",
    "pats_list",
    "pats_revoke",
    "runs_get_context",
    "runs_get_summary",
    "runs_list_events",
    "runs_list_tenant",
    "tasks_complete",
    "tasks_list_pending",
    "tasks_list_pending_run",
    "workflow_approve",
    "workflow_await",
    "workflow_inspect",
    "workflow_run",
    "workflows_authoring_contract",
    "workflows_create",
    "workflows_execute_command",
    "workflows_get",
    "workflows_graph_schema",
    "workflows_list",
    "workflows_list_runs",
    "workflows_llm_step_contract",
    "workflows_patch",
    "workflows_publish_version",
    "workflows_stream_websocket",
    "workflows_update",
    "workflows_validate",
];

fn schema(tool: &Value, which: &str) -> Validator {
    let schema = &tool[which];
    assert_eq!(schema["type"], "object", "{}: {which}", tool["name"]);
    assert!(jsonschema::meta::is_valid(schema), "{}: {which} is no JSON Schema", tool["name"]);
    let validator = jsonschema::validator_for(schema);
    validator.unwrap_or_else(|why| panic!("{}: {which}: {why}", tool["name"]))
}

/// Calls tools and holds arguments and answers to the tools' schemas.
pub struct Caller {
    pub mcp: McpClient,
    tools: Vec<Value>,
    called: BTreeSet<String>,
}

impl Caller {
    pub async fn of(workspace: &Workspace) -> Self {
        let mcp = McpClient::new(&workspace.client);
        let tools = mcp.tools().await;
        Self { mcp, tools, called: BTreeSet::new() }
    }

    pub async fn call(&mut self, name: &str, arguments: Value) -> Value {
        let tool = self.tools.iter().find(|tool| tool["name"] == name).expect("a tool of this name");
        let input = schema(tool, "inputSchema");
        assert!(input.is_valid(&arguments), "{name} does not take {arguments}: {:#}", tool["inputSchema"]);
        let answer = self.mcp.call(name, &arguments).await;
        let output = schema(tool, "outputSchema");
        let wrong: Vec<String> = output.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name} answers what its schema does not allow: {wrong:?}\n{answer:#}");
        self.called.insert(name.to_owned());
        answer
    }
}

#[tokio::test]
async fn tools_are_listed_with_all_that_a_client_needs() {
    let app = TestApp::without_worker(Clock::System).await;
    let mcp = McpClient::new(&app.workspace("acme").await.client);
    let tools = mcp.tools().await;
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, TOOLS, "by name, each once");
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        assert!(tool["title"].as_str().is_some_and(|title| !title.is_empty()), "{name}");
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 60), "{name}");
        schema(tool, "inputSchema");
        schema(tool, "outputSchema");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
        for (argument, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name}: {argument} is not described");
        }
        let hints = &tool["annotations"];
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(hints[hint].is_boolean(), "{name}: {hint}");
        }
        assert!(hints["readOnlyHint"] == false || hints["destructiveHint"] == false, "{name}");
        let text = tool.to_string();
        assert!(!text.contains("#/components"), "{name} refers to what a client does not have");
    }
    let destructive = |name: &&Value| name["annotations"]["destructiveHint"] == true;
    let destructive: Vec<&str> =
        tools.iter().filter(destructive).map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        destructive,
        [
            "catalog_bff_request",
            "inbound_webhooks_delete",
            "pats_revoke",
            "tasks_complete",
            "workflow_approve",
            "workflow_run",
            "workflows_execute_command",
            "workflows_patch",
            "workflows_update",
        ]
    );
    // A model reads all of it at once.
    assert!(json!(tools).to_string().len() < 192 * 1024, "{} bytes of tools", json!(tools).to_string().len());
    let beyond = mcp.request("tools/list", &json!({ "cursor": "!" })).await.expect(200);
    assert_eq!(beyond["error"]["code"], -32602);
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story, call by call")]
async fn a_workflow_is_built_run_and_answered_with_tools_alone() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let guide = tools.call("ar_get_started", json!({})).await;
    assert_eq!(guide["tools"].as_array().unwrap().len(), TOOLS.len());
    tools.call("workflows_create", guide["example"].clone()).await;
    let language = tools.call("workflows_graph_schema", json!({})).await;
    let steps = graph([lua("echo", "return { got = input.x }"), human("ask", &["echo"])]);
    assert!(jsonschema::is_valid(&language, &steps));

    let made =
        tools.call("workflows_create", json!({ "name": "built", "graph": graph([lua("a", "return 1 +")]) }));
    let made = made.await;
    let id = made["id"].clone();
    let checked = tools.call("workflows_validate", json!({ "workflow_id": id })).await;
    assert_eq!(checked["valid"], false, "{checked:#}");
    assert_eq!(tools.call("workflows_validate", json!({ "graph": steps })).await["valid"], true);
    let of_workflow = json!({ "workflow_id": id });
    let refused = tools.mcp.refused("workflows_publish_version", &of_workflow, 422, "GRAPH_INVALID").await;
    assert!(refused["issues"][0]["message"].is_string(), "a model can mend it");
    let patch = json!({ "workflow_id": id, "graph": steps, "if_match": made["etag"] });
    tools.call("workflows_patch", patch.clone()).await;
    tools.call("workflows_update", json!({ "workflow_id": id, "description": "Built with tools." })).await;
    tools.mcp.refused("workflows_patch", &patch, 412, "STALE").await;
    let publish = json!({ "workflow_id": id, "changelog": "first" });
    assert_eq!(tools.call("workflows_publish_version", publish.clone()).await["version"], 1);
    assert_eq!(tools.call("workflows_publish_version", publish).await["version"], 1, "again is harmless");
    assert_eq!(tools.call("workflows_get", json!({ "workflow_id": id })).await["latest_version"], 1);
    let listed = tools.call("workflows_list", json!({ "q": "BUILT", "limit": 5 })).await;
    assert_eq!(listed["workflows"][0]["id"], id);

    let start = json!({ "workflow_id": id, "command": "start", "params": { "x": 1 } });
    let run = tools.call("workflows_execute_command", start).await["run_id"].clone();
    app.work().await;
    let of_run = json!({ "workflow_id": id, "run_id": run });
    let waits = tools.call("runs_get_summary", of_run.clone()).await;
    assert_eq!(waits["orchestration_phase"], "awaiting_human", "{waits:#}");
    let open = tools.call("tasks_list_pending_run", of_run.clone()).await;
    assert_eq!(tools.call("tasks_list_pending", json!({})).await, open);
    let health = tools.call("ar_health_summary", json!({})).await;
    assert_eq!(health["pending_tasks"], json!({ "count": 1, "more": false }));
    let task = open["tasks"][0]["id"].clone();
    let answer =
        json!({ "workflow_id": id, "run_id": run, "task_id": task, "approved": true, "notes": "Fine." });
    tools.call("tasks_complete", answer.clone()).await;
    tools.mcp.refused("tasks_complete", &answer, 409, "TASK_CLOSED").await;
    app.work().await;
    assert_eq!(tools.call("runs_get_summary", of_run.clone()).await["status"], "completed");
    let context = tools.call("runs_get_context", of_run.clone()).await;
    assert_eq!(context["steps"]["echo"]["result"], json!({ "got": 1 }));
    let events = json!({ "workflow_id": id, "run_id": run, "after": 2, "limit": 1 });
    assert_eq!(tools.call("runs_list_events", events).await["events"][0]["seq"], 3);
    let runs = tools.call("workflows_list_runs", json!({ "workflow_id": id, "status": "completed" })).await;
    assert_eq!(runs["runs"][0]["trigger_type"], "mcp", "a run tells that it was started through here");
    assert_eq!(tools.call("runs_list_tenant", json!({ "workflow_id": id })).await["runs"], runs["runs"]);
    let health = tools.call("ar_health_summary", json!({})).await;
    assert_eq!(health["runs"]["by_status"], json!({ "completed": 1 }));
    let of_graphs = |tool: &&str| {
        let elsewhere = ["analytics_", "catalog_", "inbound_webhooks_", "pats_", "workflow_"];
        !elsewhere.iter().any(|prefix| tool.starts_with(prefix)) && !tool.ends_with("_contract")
    };
    let all: Vec<&str> = TOOLS
        .iter()
        .copied()
        .filter(of_graphs)
        .filter(|tool| *tool != "workflows_stream_websocket")
        .collect();
    assert_eq!(tools.called.iter().collect::<Vec<_>>(), all, "every other tool was called");
}

#[tokio::test]
async fn routes_of_mcp_servers_are_one_tool() {
    let app = TestApp::without_worker(Clock::System).await;
    let mut tools = Caller::of(&app.workspace("acme").await).await;
    let new = json!({ "name": "Desk", "canonical_url": "http://127.0.0.1:1/mcp" });
    let post = json!({ "method": "POST", "path": "/v1/mcp/servers", "body": new });
    let made = tools.call("catalog_bff_request", post.clone()).await;
    assert_eq!((&made["status"], &made["body"]["name"]), (&json!(201), &json!("Desk")));
    tools.mcp.refused("catalog_bff_request", &post, 409, "SERVICE_IN_USE").await;
    let list = json!({ "method": "GET", "path": "/v1/mcp/servers", "query": { "limit": 1 } });
    let listed = tools.call("catalog_bff_request", list).await;
    assert_eq!(listed["body"]["servers"][0]["id"], made["body"]["id"]);
    let here = format!("/v1/mcp/servers/{}", made["body"]["id"].as_str().unwrap());
    let gone = tools.call("catalog_bff_request", json!({ "method": "DELETE", "path": here })).await;
    assert_eq!(gone["status"], 204);
    tools
        .mcp
        .refused("catalog_bff_request", &json!({ "method": "GET", "path": here }), 404, "NOT_FOUND")
        .await;
}

#[tokio::test]
async fn figures_are_tools() {
    let app = TestApp::without_worker(Clock::System).await;
    let mut tools = Caller::of(&app.workspace("acme").await).await;
    for figures in TOOLS.iter().filter(|tool| tool.starts_with("analytics_")) {
        tools.call(figures, json!({ "window": "week" })).await;
        tools.mcp.refused(figures, &json!({ "window": "aeon" }), 422, "INVALID_REQUEST").await;
    }
    assert_eq!(tools.called.len(), 9);
}

#[tokio::test]
async fn a_start_with_a_run_id_can_be_repeated() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let id = acme.publish(&graph([lua("a", "return { n = input.n }")])).await;
    let run_id = "0199c000-0000-4000-8000-000000000001";
    let start = json!({ "workflow_id": id, "command": "start",
                        "params": { "run_id": run_id, "trigger_type": "api", "trigger_payload": { "n": 1 } } });
    let first = tools.call("workflows_execute_command", start.clone()).await;
    let again = tools.call("workflows_execute_command", start).await;
    assert_eq!((&first["run_id"], &again), (&json!(run_id), &first));
    let runs = tools.call("workflows_list_runs", json!({ "workflow_id": id })).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    assert_eq!(runs["runs"][0]["trigger_type"], "api", "what the caller says holds");
    let pause = json!({ "workflow_id": id, "command": "pause", "params": { "run_id": run_id } });
    assert_eq!(tools.call("workflows_execute_command", pause).await["status"], "paused");
}

#[tokio::test]
async fn a_start_that_waits_answers_with_the_outputs() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let id = acme.publish(&graph([lua("a", "return { n = input.n + 1 }")])).await;
    let start = json!({ "workflow_id": id, "command": "start", "params": { "n": 1 }, "wait_s": 20 });
    let done = tools.call("workflows_execute_command", start).await;
    assert_eq!((&done["status"], &done["outputs"]), (&json!("completed"), &json!({ "a": { "n": 2 } })));
    let failing = acme.publish(&graph([lua("a", "error('no')")])).await;
    let start = json!({ "workflow_id": failing, "command": "start", "wait_s": 20 });
    assert_eq!(tools.call("workflows_execute_command", start).await["status"], "failed");
    let health = tools.call("ar_health_summary", json!({})).await;
    assert_eq!(health["runs"]["last_failures"][0]["failure_code"], "LUA_ERROR", "{health:#}");
}

#[tokio::test]
async fn a_result_too_large_to_be_told_twice_is_structured_only() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client);
    let script = "return { text = string.rep('x', 600000) }";
    let id = acme.publish(&graph([lua("a", script), lua("b", script)])).await;
    let run = acme.start(&id, json!({})).await;
    app.work().await;
    let params = json!({ "name": "runs_get_context", "arguments": { "workflow_id": id, "run_id": run } });
    let result = mcp.result("tools/call", &params).await;
    let text = result["structuredContent"]["steps"]["b"]["result"]["text"].as_str().unwrap();
    assert_eq!(text.len(), 600_000);
    assert!(result["content"][0]["text"].as_str().unwrap().contains("structuredContent"));
}

#[tokio::test]
async fn a_call_that_names_no_tool_is_an_error_of_the_protocol() {
    let app = TestApp::without_worker(Clock::System).await;
    let mcp = McpClient::new(&app.workspace("acme").await.client);
    for name in ["", "nothing", "workflows_list ", "WORKFLOWS_LIST", "pats_create", "__proto__", "a\u{0}b"] {
        let answer = mcp.request("tools/call", &json!({ "name": name, "arguments": {} })).await.expect(200);
        assert_eq!(answer["error"]["code"], -32602, "{name:?}: {answer:#}");
    }
    // The SDK takes a call whose parameters are none for a method that it does not know.
    for (params, expected) in [
        (json!({}), (200, -32601)),
        (json!({ "name": 7 }), (200, -32601)),
        (json!({ "name": "workflows_list", "arguments": [] }), (200, -32601)),
        (json!([]), (400, -32600)),
    ] {
        let answer = mcp.request("tools/call", &params).await;
        let outcome = (answer.status.as_u16(), answer.body["error"]["code"].as_i64().unwrap());
        assert_eq!(outcome, expected, "{params}: {:#}", answer.body);
    }
    assert_eq!(mcp.result("tools/call", &json!({ "name": "workflows_list" })).await["isError"], false);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_named_and_reach_nothing_else() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client);
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let refused = async |tool: &str, arguments: Value, named: &str| {
        let error = mcp.refused(tool, &arguments, 422, "INVALID_REQUEST").await;
        assert!(error["error"].as_str().unwrap().contains(named), "{tool} {arguments}: {error:#}");
    };
    refused("workflows_list", json!({ "limt": 5 }), "limt").await;
    refused("workflows_list", json!({ "limit": 0 }), "limit").await;
    refused("workflows_list", json!({ "limit": [1] }), "limit").await;
    refused("workflows_list", json!({ "q": { "a": 1 } }), "q").await;
    refused("workflows_list", json!({ "cursor": "!" }), "cursor").await;
    refused("workflows_get", json!({}), "workflow_id").await;
    refused("workflows_get", json!({ "workflow_id": null }), "workflow_id").await;
    refused("workflows_get", json!({ "workflow_id": {} }), "workflow_id").await;
    refused("workflows_get", json!({ "id": id }), "id").await;
    refused("workflows_create", json!({ "name": "n" }), "graph").await;
    refused("workflows_create", json!({ "name": 1, "graph": {} }), "name").await;
    refused("workflows_validate", json!({}), "graph").await;
    refused("workflows_execute_command", json!({ "workflow_id": id, "command": "fly" }), "fly").await;
    refused(
        "workflows_execute_command",
        json!({ "workflow_id": id, "command": "start", "params": 1 }),
        "params",
    )
    .await;
    refused(
        "workflows_execute_command",
        json!({ "workflow_id": id, "command": "start", "wait_s": 21 }),
        "wait_s",
    )
    .await;
    refused("workflows_patch", json!({ "workflow_id": id, "if_match": "a\nb: c" }), "if_match").await;
    refused("ar_health_summary", json!({ "deep": true }), "deep").await;
    // A query's value stays one value.
    let hostile = "a&limit=0#?/../\r\nx: y";
    assert_eq!(mcp.call("workflows_list", &json!({ "q": hostile })).await, json!({ "workflows": [] }));
    // What a model leaves out it often sends as null.
    assert_eq!(
        mcp.call("workflows_list", &json!({ "q": "test", "cursor": null })).await["workflows"][0]["id"],
        id
    );
}

#[tokio::test]
async fn an_id_names_a_thing_and_never_leads_to_another_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client);
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let refused = async |tool: &str, arguments: Value, named: &str| {
        let error = mcp.refused(tool, &arguments, 422, "INVALID_REQUEST").await;
        assert!(error["error"].as_str().unwrap().contains(named), "{tool} {arguments}: {error:#}");
    };
    for bad in [
        "..",
        "",
        "../runs",
        "schema",
        "validate",
        "x/../../health",
        "%2e%2e",
        "a?limit=1",
        "a#b",
        "ä",
        "\u{0}",
    ] {
        refused("workflows_get", json!({ "workflow_id": bad }), "workflow_id").await;
        refused("runs_get_summary", json!({ "workflow_id": id, "run_id": bad }), "run_id").await;
    }
    let run_id = "0199c000-0000-7000-8000-000000000001";
    for bad in ["..", "", &"9".repeat(200_000)] {
        let task = json!({ "workflow_id": id, "run_id": run_id, "task_id": bad, "approved": true });
        refused("tasks_complete", task, if bad.len() > 2 { "arguments" } else { "task_id" }).await;
    }
    for bad in [
        "../../pending",
        "%2e%2e",
        "%252e%252e",
        "a%2F..",
        ".%2e",
        "a/%2e%2e/b",
        "\\..",
        "a/",
        "\u{0}",
        "%00",
    ] {
        for tool in ["tasks_complete", "workflow_approve"] {
            let task = json!({ "workflow_id": id, "run_id": run_id, "task_id": bad, "approved": true });
            refused(tool, task, "task_id").await;
        }
    }
    // Names that are odd and lead nowhere else.
    for odd in ["a?b=c", "a#b", "ä", " ", "a/b", "100%", "a%20b"] {
        let task = json!({ "workflow_id": id, "run_id": run_id, "task_id": odd, "approved": true });
        mcp.refused("tasks_complete", &task, 404, "NOT_FOUND").await;
    }
}
