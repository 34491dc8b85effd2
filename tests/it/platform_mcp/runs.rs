//! The tools that follow a run: started, waited for, looked at, answered, read as it goes.

use it::{TestApp, graph, human, lua};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;
use shared::types::scope::Scope;

use super::tools::Caller;

#[tokio::test]
async fn workflow_run_waits_for_the_end_and_gives_outputs_or_what_failed() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let adds = acme.publish(&graph([lua("a", "return { n = input.n + 1 }")])).await;
    for input in [
        json!({ "workflow_id": adds, "trigger_payload": { "n": 1 } }),
        json!({ "workflow_id": adds, "params": { "n": 1 }, "wait": true, "wait_s": 20 }),
        json!({ "workflow_id": adds, "params": { "trigger_payload": { "n": 1 }, "trigger_type": "api" } }),
    ] {
        let done = tools.call("workflow_run", input).await;
        assert_eq!((&done["status"], &done["run_complete"]), (&json!("completed"), &json!(true)), "{done:#}");
        assert_eq!(done["outputs"], json!({ "a": { "n": 2 } }));
        assert_eq!(done["orchestration_phase"], "done");
    }
    let runs = tools.call("workflows_list_runs", json!({ "workflow_id": adds })).await;
    let started_by: Vec<&Value> =
        runs["runs"].as_array().unwrap().iter().map(|run| &run["trigger_type"]).collect();
    assert_eq!(started_by, ["api", "mcp", "mcp"]);

    let fails = acme.publish(&graph([lua("a", "error('no such order')")])).await;
    let failed = tools.call("workflow_run", json!({ "workflow_id": fails })).await;
    assert_eq!((&failed["status"], &failed["failure_code"]), (&json!("failed"), &json!("LUA_ERROR")));
    assert_eq!(failed["failed_step_id"], "a");
    assert!(failed["error"].as_str().unwrap().contains("no such order"), "{failed:#}");

    let run_id = "0199c000-0000-4000-8000-000000000007";
    let once = json!({ "workflow_id": adds, "params": { "n": 1, "run_id": run_id }, "wait": false });
    let first = tools.call("workflow_run", once.clone()).await;
    assert_eq!((&first["run_id"], &first["status"]), (&json!(run_id), &json!("running")), "{first:#}");
    assert!(first["outputs"].is_null());
    let waited = tools.call("workflow_await", json!({ "workflow_id": adds, "run_id": run_id })).await;
    assert_eq!(waited["outputs"], json!({ "a": { "n": 2 } }));
    assert_eq!(tools.call("workflow_run", once).await["run_id"], run_id, "again starts nothing");
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_is_answered_with_tools() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let id = acme.publish(&graph([human("ask", &[]), human("also", &[])])).await;
    let waits = tools.call("workflow_run", json!({ "workflow_id": id, "wait_s": 20 })).await;
    assert_eq!((&waits["status"], &waits["run_complete"]), (&json!("running"), &json!(false)), "{waits:#}");
    assert_eq!(
        (&waits["orchestration_phase"], &waits["pending_tasks"]),
        (&json!("awaiting_human"), &json!(2))
    );
    let of_run = json!({ "workflow_id": id, "run_id": waits["run_id"] });
    let seen = tools.call("workflow_inspect", of_run.clone()).await;
    assert_eq!(seen["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(seen["steps"].as_array().unwrap().len(), 2);
    assert_eq!(seen, tools.call("workflow_inspect", json!({ "workflow_id": id })).await, "the newest run");

    let several = tools.mcp.refused("workflow_approve", &of_run, 409, "SEVERAL_OPEN_TASKS").await;
    assert!(several["error"].as_str().unwrap().contains("also"), "{several:#}");
    let with = |fields: Value| {
        let mut arguments = of_run.clone();
        arguments.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        arguments
    };
    let answer =
        with(json!({ "task_id": "ask", "approved": false, "notes": "Too dear.", "result": { "cap": 5 } }));
    let answered = tools.call("workflow_approve", answer.clone()).await;
    assert_eq!(answered, json!({ "status": "completed", "task_id": "ask", "approved": false }));
    tools.mcp.refused("workflow_approve", &answer, 409, "TASK_CLOSED").await;
    let answered = tools.call("workflow_approve", of_run.clone()).await;
    assert_eq!(answered, json!({ "status": "completed", "task_id": "also", "approved": true }));
    let done = tools.call("workflow_await", of_run.clone()).await;
    assert_eq!(done["status"], "completed", "{done:#}");
    assert_eq!(done["outputs"]["ask"]["cap"], 5, "{done:#}");
    tools.mcp.refused("workflow_approve", &of_run, 409, "NO_OPEN_TASK").await;
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_a_paused_run_is_not_waited_for() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    // Nobody works on it.
    let waits = tools.call("workflow_run", json!({ "workflow_id": id, "wait_s": 1 })).await;
    assert_eq!((&waits["status"], &waits["run_complete"]), (&json!("running"), &json!(false)), "{waits:#}");
    assert!(waits["next"].as_str().unwrap().contains("workflow_await"), "{waits:#}");
    let of_run = json!({ "workflow_id": id, "run_id": waits["run_id"] });
    let pause = json!({ "workflow_id": id, "command": "pause", "params": { "run_id": waits["run_id"] } });
    tools.call("workflows_execute_command", pause).await;
    let began = std::time::Instant::now();
    assert_eq!(tools.call("workflow_await", of_run).await["status"], "paused");
    assert!(began.elapsed().as_secs() < 10, "nobody waits for what does not change by itself");
}

#[tokio::test]
async fn a_token_that_may_only_run_is_told_the_run_that_it_started() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let narrow = app.member(("acme", "default"), Role::ProjectContributor, &[Scope::WorkflowRun], None).await;
    let mut tools = Caller::of(&narrow).await;
    let started = tools.call("workflow_run", json!({ "workflow_id": id, "wait_s": 1 })).await;
    assert_eq!((&started["status"], &started["run_complete"]), (&json!("running"), &json!(false)));
    assert!(started["next"].as_str().unwrap().contains("workflow:read"), "{started:#}");
    acme.client
        .get(&format!("/v1/workflows/{id}/runs/{}", started["run_id"].as_str().unwrap()))
        .await
        .expect(200);
}

#[tokio::test]
async fn events_are_read_as_they_come_within_bounds() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let id =
        acme.publish(&graph([lua("a", "return {}"), lua("b", "return {}"), lua("c", "return {}")])).await;
    let no_runs = json!({ "workflow_id": id });
    tools.mcp.refused("workflows_stream_websocket", &no_runs, 404, "NO_RUNS").await;
    tools.mcp.refused("workflow_inspect", &no_runs, 404, "NO_RUNS").await;
    let run = tools.call("workflow_run", json!({ "workflow_id": id })).await["run_id"].clone();
    let all = tools.call("workflows_stream_websocket", json!({ "workflow_id": id, "run_id": run })).await;
    assert_eq!(all["stopped_by"], "run_over", "{all:#}");
    let count = all["messages"].as_array().unwrap().len();
    assert!(count >= 6, "{all:#}");
    assert_eq!((&all["message_count"], &all["after"]), (&json!(count), &json!(count)));
    let mut pieced = Vec::new();
    let mut after = 0;
    while pieced.len() < count {
        let bound = json!({ "workflow_id": id, "run_id": run, "after": after, "max_messages": 2 });
        let page = tools.call("workflows_stream_websocket", bound).await;
        assert!(page["messages"].as_array().unwrap().len() <= 2);
        pieced.extend(page["messages"].as_array().unwrap().iter().cloned());
        after = page["after"].as_u64().unwrap();
    }
    assert_eq!(json!(pieced), all["messages"], "nothing is missed and nothing comes twice");
    let few = json!({ "workflow_id": id, "max_bytes": 1024 });
    let few = tools.call("workflows_stream_websocket", few).await;
    assert_eq!(few["stopped_by"], "max_bytes");
    assert!(few["bytes"].as_u64().unwrap() <= 1024 && few["message_count"].as_u64().unwrap() >= 1);

    let waits = acme.publish(&graph([human("ask", &[])])).await;
    tools.call("workflow_run", json!({ "workflow_id": waits })).await;
    let timed = json!({ "workflow_id": waits, "duration_s": 1 });
    assert_eq!(tools.call("workflows_stream_websocket", timed).await["stopped_by"], "duration");
}

#[tokio::test]
async fn arguments_of_run_tools_that_do_not_fit_are_named() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let tools = Caller::of(&acme).await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let run = "0199c000-0000-7000-8000-000000000001";
    for (tool, arguments, named) in [
        ("workflow_run", json!({}), "workflow_id"),
        ("workflow_run", json!({ "workflow_id": "schema" }), "workflow_id"),
        ("workflow_run", json!({ "workflow_id": id, "wait_s": 0 }), "wait_s"),
        ("workflow_run", json!({ "workflow_id": id, "wait_s": 21 }), "wait_s"),
        ("workflow_run", json!({ "workflow_id": id, "wait": "yes" }), "wait"),
        ("workflow_run", json!({ "workflow_id": id, "params": [] }), "params"),
        ("workflow_run", json!({ "workflow_id": id, "trigger_payload": 7 }), "trigger_payload"),
        (
            "workflow_run",
            json!({ "workflow_id": id, "trigger_payload": {}, "params": { "trigger_payload": {} } }),
            "trigger_payload",
        ),
        ("workflow_run", json!({ "workflow_id": id, "input": {} }), "input"),
        ("workflow_await", json!({ "workflow_id": id }), "run_id"),
        ("workflow_await", json!({ "workflow_id": id, "run_id": ".." }), "run_id"),
        ("workflow_inspect", json!({ "workflow_id": id, "run_id": 7 }), "run_id"),
        ("workflow_approve", json!({ "workflow_id": id, "run_id": run, "result": [] }), "result"),
        ("workflows_stream_websocket", json!({ "workflow_id": id, "duration_s": 21 }), "duration_s"),
        ("workflows_stream_websocket", json!({ "workflow_id": id, "max_messages": 0 }), "max_messages"),
        ("workflows_stream_websocket", json!({ "workflow_id": id, "max_bytes": 1 }), "max_bytes"),
        ("workflows_stream_websocket", json!({ "workflow_id": id, "after": -1 }), "after"),
        ("workflows_authoring_contract", json!({ "deep": true }), "deep"),
        ("workflows_llm_step_contract", json!({ "deep": true }), "deep"),
    ] {
        let error = tools.mcp.refused(tool, &arguments, 422, "INVALID_REQUEST").await;
        assert!(error["error"].as_str().unwrap().contains(named), "{tool} {arguments}: {error:#}");
    }
    let absent = json!({ "workflow_id": id, "run_id": run });
    for tool in ["workflow_await", "workflow_inspect", "workflow_approve", "workflows_stream_websocket"] {
        tools.mcp.refused(tool, &absent, 404, "NOT_FOUND").await;
    }
    let draft = acme.create(&graph([lua("a", "return {}")])).await;
    tools.mcp.refused("workflow_run", &json!({ "workflow_id": draft }), 409, "NOT_PUBLISHED").await;
}

#[tokio::test]
async fn the_contracts_say_what_holds() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let contract = tools.call("workflows_authoring_contract", json!({})).await;
    let example = &contract["graph"]["example"];
    let checked = tools.call("workflows_validate", json!({ "graph": example })).await;
    assert_eq!(checked["valid"], true, "{checked:#}");
    assert_eq!(contract["limits"]["for_each_items"], 500);
    let named = contract["order_of_work"].to_string();
    for tool in ["workflows_graph_schema", "catalog_tools_search", "workflows_validate", "workflow_run"] {
        assert!(named.contains(tool), "{named}");
    }
    // The result is the one that a mock stands in for, and the script that reads it is a script.
    let llm = tools.call("workflows_llm_step_contract", json!({})).await;
    let script = llm["reading"]["lua_json"].as_str().unwrap().replace("<id>", "ask");
    let steps = json!([
        { "id": "ask", "type": "llm_call", "model_ref": "direct.openai.gpt-4o-mini", "prompt": "List people." },
        { "id": "read", "type": "lua_script", "depends_on": ["ask"], "script": script },
    ]);
    let mock = json!({ "ask": llm["validating"]["mock_step_outputs"]["<id>"] });
    let checked = json!({ "graph": { "steps": steps }, "mock_step_outputs": mock });
    let checked = tools.call("workflows_validate", checked).await;
    assert_eq!(checked["valid"], true, "{checked:#}");
    assert!(!checked["issues"].to_string().contains("lua_fixture"), "{checked:#}");
}
