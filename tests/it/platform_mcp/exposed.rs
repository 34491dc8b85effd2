//! Workflows as tools of their own.

use it::{McpClient, TestApp, Workspace, graph, human, lua, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;
use shared::types::scope::Scope;

use super::tools::TOOLS;

fn tool(name: &str) -> Value {
    json!({ "name": name, "description": "Adds one to n." })
}

fn adds() -> Value {
    let input = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    with(graph([lua("a", "return { n = input.n + 1 }")]), &json!({ "input_schema": input }))
}

/// Offers a published workflow as a tool.
async fn offer(acme: &Workspace, graph: &Value, tool: &Value) -> String {
    let new = json!({ "name": "test", "graph": graph, "expose_as_tool": tool });
    let made = acme.client.post("/v1/workflows", &new).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    acme.client.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await.expect(201);
    id
}

/// The tools of workflows, from every page of the list.
async fn listed(mcp: &McpClient) -> Vec<Value> {
    let (mut all, mut params) = (Vec::new(), json!({}));
    loop {
        let page = mcp.result("tools/list", &params).await;
        all.extend(page["tools"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => break,
        }
    }
    all.into_iter().filter(|tool| !TOOLS.contains(&tool["name"].as_str().unwrap())).collect()
}

async fn names(mcp: &McpClient) -> Vec<String> {
    listed(mcp).await.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_published_workflow_is_a_tool_that_runs_it() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client);
    let id = offer(&acme, &adds(), &tool("add_one")).await;
    let tools = listed(&mcp).await;
    assert_eq!(tools.len(), 1, "{tools:#?}");
    assert_eq!((&tools[0]["name"], &tools[0]["description"]), (&json!("add_one"), &json!("Adds one to n.")));
    assert_eq!(tools[0]["inputSchema"], adds()["input_schema"], "the graph says what it takes");
    assert_eq!(tools[0]["annotations"]["destructiveHint"], true);
    assert!(jsonschema::meta::is_valid(&tools[0]["outputSchema"]));

    let done = mcp.call("add_one", &json!({ "n": 1 })).await;
    assert_eq!((&done["status"], &done["outputs"]), (&json!("completed"), &json!({ "a": { "n": 2 } })));
    assert!(jsonschema::is_valid(&tools[0]["outputSchema"], &done), "{done:#}");
    let run = format!("/v1/workflows/{id}/runs/{}", done["run_id"].as_str().unwrap());
    assert_eq!(acme.client.get(&run).await.expect(200)["trigger_type"], "mcp");
    // The input is checked as any start's, and an argument's name has no meaning of its own.
    mcp.refused("add_one", &json!({ "n": "many" }), 422, "INVALID_REQUEST").await;
    let odd = json!({ "n": 5, "run_id": "mine", "trigger_type": "schedule", "version": 9 });
    assert_eq!(mcp.call("add_one", &odd).await["outputs"]["a"]["n"], 6);

    let failing = offer(&acme, &graph([lua("a", "error('no such order')")]), &tool("fail")).await;
    let result = mcp.result("tools/call", &json!({ "name": "fail", "arguments": {} })).await;
    assert_eq!(result["isError"], true, "{result:#}");
    let error: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&error["code"], &error["workflow_id"]), (&json!("LUA_ERROR"), &json!(failing)));
    assert!(
        error["error"].as_str().unwrap().contains("no such order") && error["run_id"].is_string(),
        "{error:#}"
    );

    offer(&acme, &graph([human("ask", &[])]), &tool("ask_somebody")).await;
    let waits = mcp.call("ask_somebody", &json!({})).await;
    assert_eq!((&waits["run_complete"], &waits["pending_tasks"]), (&json!(false), &json!(1)), "{waits:#}");
}

#[tokio::test]
async fn a_tool_follows_its_workflow() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client);
    let id = acme.create(&adds()).await;
    let path = format!("/v1/workflows/{id}");
    let patch = async |fields: Value| acme.client.patch(&path, &fields).await.expect(200);
    let offered = patch(json!({ "expose_as_tool": tool("first") })).await;
    assert_eq!(offered["expose_as_tool"], tool("first"));
    assert_eq!(names(&mcp).await, [""; 0], "nothing is published yet");
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    assert_eq!(names(&mcp).await, ["first"]);

    // What the author says of the arguments goes before what the graph says; other changes leave it.
    let schema = json!({ "type": "object", "properties": { "n": { "minimum": 5 } } });
    let own = json!({ "name": "second", "description": "d", "input_schema": schema });
    patch(json!({ "expose_as_tool": own })).await;
    patch(json!({ "name": "renamed", "graph": adds() })).await;
    assert_eq!(acme.client.get(&path).await.expect(200)["expose_as_tool"], own);
    let tools = listed(&mcp).await;
    assert_eq!((&tools[0]["name"], &tools[0]["inputSchema"]), (&json!("second"), &schema));
    assert_eq!(tools[0]["title"], "renamed");
    assert_eq!(
        mcp.request("tools/call", &json!({ "name": "first" })).await.expect(200)["error"]["code"],
        -32602
    );
    let free = acme.create(&adds()).await;
    acme.client
        .patch(&format!("/v1/workflows/{free}"), &json!({ "expose_as_tool": tool("first") }))
        .await
        .expect(200);

    // It goes with its version's graph, out of the list with the archive, and comes back.
    patch(json!({ "expose_as_tool": tool("second"), "graph": graph([lua("b", "return {}")]) })).await;
    assert_eq!(listed(&mcp).await[0]["inputSchema"], adds()["input_schema"], "of the published version");
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    assert_eq!(listed(&mcp).await[0]["inputSchema"], json!({ "type": "object" }));
    acme.client.delete(&path).await.expect(204);
    assert_eq!(names(&mcp).await, [""; 0]);
    assert_eq!(
        mcp.request("tools/call", &json!({ "name": "second" })).await.expect(200)["error"]["code"],
        -32602
    );
    let taken = json!({ "name": "n", "graph": adds(), "expose_as_tool": tool("second") });
    acme.client.post("/v1/workflows", &taken).await.refused(409, "TOOL_NAME_IN_USE");
    let restored = acme.client.post(&format!("{path}/restore"), &json!({})).await.expect(200);
    assert_eq!(restored["expose_as_tool"], tool("second"));
    assert_eq!(names(&mcp).await, ["second"]);
    assert!(patch(json!({ "expose_as_tool": null })).await["expose_as_tool"].is_null());
    assert_eq!(names(&mcp).await, [""; 0]);
    acme.client.post("/v1/workflows", &taken).await.expect(201);
}

#[tokio::test]
async fn names_of_tools_are_unique_in_a_project_and_nobody_elses() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = offer(&acme, &adds(), &tool("add_one")).await;
    let new = |tool: Value| json!({ "name": "other", "graph": adds(), "expose_as_tool": tool });
    let create = async |client: &it::Client, tool: Value| client.post("/v1/workflows", &new(tool)).await;
    let refused = create(&acme.client, tool("add_one")).await.refused(409, "TOOL_NAME_IN_USE");
    assert!(refused["error"].as_str().unwrap().contains(&id), "{refused:#}");
    let keyed = acme.client.with("idempotency-key", "k");
    create(&keyed, tool("add_one")).await.refused(409, "TOOL_NAME_IN_USE");
    let other = acme.create(&adds()).await;
    let patch = json!({ "expose_as_tool": tool("add_one") });
    acme.client.patch(&format!("/v1/workflows/{other}"), &patch).await.refused(409, "TOOL_NAME_IN_USE");
    // Of two at the same time one has it.
    let path = format!("/v1/workflows/{other}");
    let (patch, make) = (json!({ "expose_as_tool": tool("both") }), tool("both"));
    let (one, two) = tokio::join!(acme.client.patch(&path, &patch), create(&acme.client, make));
    let codes = [one.status.as_u16(), two.status.as_u16()];
    assert!([[200, 409], [409, 201]].contains(&codes), "{codes:?}: {:#} {:#}", one.body, two.body);
    // Another project and another tenant have their own names, and do not see these.
    let stranger = app.workspace("other").await;
    let second = app.member(("acme", "second"), Role::TenantAdmin, &[], None).await;
    for elsewhere in [&stranger, &second] {
        let mcp = McpClient::new(&elsewhere.client);
        assert_eq!(names(&mcp).await, [""; 0]);
        let answer = mcp.request("tools/call", &json!({ "name": "add_one", "arguments": { "n": 1 } })).await;
        assert_eq!(answer.expect(200)["error"]["code"], -32602);
        create(&elsewhere.client, tool("add_one")).await.expect(201);
    }
    for name in TOOLS.iter().copied().chain(["pats_create", "workflow_x", "Add", "a b", "", "1a", "a-b"]) {
        let refused = create(&acme.client, tool(name)).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains("expose_as_tool.name"), "{name}: {refused:#}");
    }
    for (bad, named) in [
        (json!("add"), "expose_as_tool"),
        (json!({ "name": "a" }), "description"),
        (json!({ "name": "a", "description": "" }), "description"),
        (json!({ "name": "a", "description": "d", "input_schema": { "type": "array" } }), "input_schema"),
        (json!({ "name": "a", "description": "d", "title": "t" }), "title"),
    ] {
        let refused = create(&acme.client, bad.clone()).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(named), "{bad}: {refused:#}");
    }
}

#[tokio::test]
async fn tools_of_workflows_are_for_those_who_may_run_and_come_by_pages() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let count = 53;
    for number in 0..count {
        offer(&acme, &adds(), &tool(&format!("tool_{number:02}"))).await;
    }
    let expected: Vec<String> = (0..count).map(|number| format!("tool_{number:02}")).collect();
    assert_eq!(names(&McpClient::new(&acme.client)).await, expected, "by name, each once");
    let page = acme.client.get("/v1/workflows/tools?limit=2").await.expect(200);
    assert_eq!(page["tools"][1]["name"], "tool_01");
    assert_eq!(page["tools"][1]["version"], 1);
    let next = format!("/v1/workflows/tools?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(acme.client.get(&next).await.expect(200)["tools"][0]["name"], "tool_02");
    let by_name = acme.client.get("/v1/workflows/tools?name=tool_07").await.expect(200);
    assert_eq!(by_name["tools"].as_array().unwrap().len(), 1);
    for none in ["nothing", "TOOL_07", "%20", "", "tool_07%00"] {
        let found = acme.client.get(&format!("/v1/workflows/tools?name={none}")).await.expect(200);
        assert_eq!(found, json!({ "tools": [] }), "{none}");
    }
    let here = ("acme", "default");
    for (role, scopes) in [
        (Role::ProjectViewer, vec![]),
        (Role::ProjectContributor, vec![Scope::WorkflowRead]),
        (Role::ProjectContributor, vec![Scope::WorkflowRun]),
    ] {
        let narrow = app.member(here, role, &scopes, None).await;
        let mcp = McpClient::new(&narrow.client);
        assert_eq!(names(&mcp).await, [""; 0], "{role:?} {scopes:?}");
        let code = if role == Role::ProjectViewer { "ROLE_TOO_LOW" } else { "SCOPE_MISSING" };
        mcp.refused("tool_07", &json!({ "n": 1 }), 403, code).await;
    }
}
