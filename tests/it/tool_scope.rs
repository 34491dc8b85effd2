//! `mcp:execute`: whoever may not have tools called starts no graph that calls them, whatever way is taken: a start, a
//! retry, a recovery, a webhook, a schedule, another workflow.

use std::time::Duration;

use it::{McpStandIn, Run, TestApp, Workspace, call, graph, human, lua, tool_call, with};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;
use shared::types::scope::Scope;

/// Somebody with all rights, somebody who lacks `mcp:execute`, and tools.
struct Scene {
    app: TestApp,
    wide: Workspace,
    narrow: Workspace,
    tools: McpStandIn,
    instance: String,
}

impl Scene {
    async fn new() -> Self {
        // A minute before a full hour.
        let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_002_740_000))).await;
        let wide = app.workspace("acme").await;
        let scopes = [
            Scope::WorkflowRead,
            Scope::WorkflowRun,
            Scope::WorkflowWrite,
            Scope::IntegrationRead,
            Scope::IntegrationWrite,
        ];
        let narrow = app.member(("acme", "default"), Role::ProjectAdmin, &scopes, None).await;
        let tools = McpStandIn::start().await;
        let instance = wide.mcp_instance(&tools.url).await;
        Self { app, wide, narrow, tools, instance }
    }

    /// A step that calls a tool.
    fn says(&self, depends_on: &[&str]) -> Value {
        tool_call("say", depends_on, &self.instance, "echo", &json!({ "message": "m" }))
    }

    /// A run whose first step has failed, and whose tool was not called.
    async fn failed(&self) -> Run {
        let steps = graph([lua("a", "error('no')"), self.says(&["a"])]);
        let run = self.wide.begin(&steps, json!({})).await;
        self.app.work().await;
        assert_eq!(run.status().await, "failed");
        run
    }

    fn calls(&self) -> usize {
        self.tools.calls().len()
    }
}

#[tokio::test]
async fn a_start_needs_it_also_where_a_loop_calls_the_tool() {
    let scene = Scene::new().await;
    let each = it::for_each("each", &json!([1]), &[scene.says(&[])]);
    for steps in [graph([scene.says(&[])]), graph([each])] {
        let workflow = scene.wide.publish(&steps).await;
        scene.narrow.command_start(&workflow, json!({})).await.refused(403, "SCOPE_MISSING");
        scene.wide.command_start(&workflow, json!({})).await.expect(200);
    }
    let plain = scene.wide.publish(&graph([lua("a", "return {}")])).await;
    scene.narrow.command_start(&plain, json!({})).await.expect(200);
}

#[tokio::test]
async fn a_retry_and_a_recovery_need_it() {
    let scene = Scene::new().await;
    let run = scene.failed().await;
    let narrow = scene.narrow.known_run(&run.workflow, &run.id);
    narrow.retry(&json!({})).await.refused(403, "SCOPE_MISSING");
    narrow.retry(&json!({ "from_step_id": "a" })).await.refused(403, "SCOPE_MISSING");
    assert_eq!(run.status().await, "failed", "nothing was done");
    let recovery = json!({ "resume_from_run_id": run.id });
    let refused = scene.narrow.command_start(&run.workflow, recovery.clone()).await;
    refused.refused(403, "SCOPE_MISSING");
    scene.wide.command_start(&run.workflow, recovery).await.expect(200);
    run.retry(&json!({})).await.expect(200);
}

#[tokio::test]
async fn a_webhook_needs_it_of_its_token() {
    let scene = Scene::new().await;
    let workflow = scene.wide.publish(&graph([scene.says(&[])])).await;
    let narrow = scene.narrow.subscribe(&workflow, json!({})).await;
    narrow.deliver(b"{}").await.refused(403, "SCOPE_MISSING");
    let wide = scene.wide.subscribe(&workflow, json!({})).await;
    wide.deliver(b"{}").await.expect(202);
    scene.app.work().await;
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn a_schedule_may_what_the_token_might_that_last_changed_it() {
    let scene = Scene::new().await;
    let workflow = scene.wide.publish(&graph([scene.says(&[])])).await;
    let triggers = format!("/v1/workflows/{workflow}/triggers");
    let hourly = json!({ "cron": "0 * * * *" });
    let made = scene.narrow.client.post(&triggers, &hourly).await.expect(201);
    let trigger = format!("{triggers}/{}", made["id"].as_str().unwrap());
    let error = async || {
        let listed = scene.wide.client.get(&triggers).await.expect(200);
        listed["triggers"][0]["last_error"]["code"].clone()
    };
    scene.app.pass(Duration::from_secs(61)).await;
    assert_eq!((scene.calls(), error().await), (0, json!("SCOPE_MISSING")));
    scene.wide.client.patch(&trigger, &json!({ "name": "Hourly" })).await.expect(200);
    scene.app.pass(Duration::from_secs(3600)).await;
    assert_eq!(scene.calls(), 1);
    scene.narrow.client.patch(&trigger, &json!({ "params": { "k": 1 } })).await.expect(200);
    scene.app.pass(Duration::from_secs(3600)).await;
    assert_eq!((scene.calls(), error().await), (1, json!("SCOPE_MISSING")));
}

#[tokio::test]
async fn the_children_of_a_run_may_no_more_than_it_may() {
    let scene = Scene::new().await;
    let inner = scene.wide.publish(&graph([scene.says(&[])])).await;
    let middle = scene.wide.publish(&graph([call("inner", &[], &inner, &json!({}))])).await;
    let outer = scene.wide.publish(&graph([call("middle", &[], &middle, &json!({}))])).await;
    let refused = async |workflow: &str| {
        let run = scene.narrow.begin_again(workflow, json!({})).await;
        scene.app.work().await;
        let view = run.view().await;
        assert_eq!(view["failure_code"], "CHILD_RUN_FAILED", "{view:#}");
        assert!(view["error"].as_str().unwrap().contains("mcp:execute"), "{view:#}");
        assert_eq!(scene.calls(), 0);
        run
    };
    refused(&outer).await;
    let run = refused(&middle).await;
    // Somebody who may lets it go on.
    scene.wide.known_run(&middle, &run.id).retry(&json!({})).await.expect(200);
    scene.app.work().await;
    assert_eq!((run.status().await.as_str(), scene.calls()), ("completed", 1));

    // The other way round: what somebody may not is not done by letting another's run go on.
    let step = with(call("inner", &["ask"], &inner, &json!({})), &json!({ "wait": false }));
    let run = scene.wide.begin(&graph([human("ask", &[]), step]), json!({})).await;
    scene.app.work().await;
    run.stop().await;
    scene.narrow.known_run(&run.workflow, &run.id).retry(&json!({})).await.expect(200);
    scene.app.work().await;
    run.approve("ask").await;
    scene.app.work().await;
    assert_eq!((run.view().await["failure_code"].clone(), scene.calls()), (json!("CHILD_RUN_FAILED"), 1));
}
