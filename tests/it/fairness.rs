//! What one tenant does, whatever it is, leaves room for another: its runs, scripts, calls and checks take some of what a process
//! has, and never all (engine.md, *Waiting, fairness, backlog*).

use it::{
    McpStandIn, Models, Run, TestApp, Workspace, call, for_each, graph, human, lua, openai_says, repeat,
    tool_call, with,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;

/// More runs than a process moves side by side.
const MANY: usize = 80;
/// Between two looks at what is under way.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
const ENDLESS: &str = "while true do end";

struct World {
    app: TestApp,
    noisy: Workspace,
    other: Workspace,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let (noisy, other) = (app.workspace("noisy").await, app.workspace("other").await);
        Self { app, noisy, other }
    }

    async fn runs(&self, graph: &Value, count: usize) -> Vec<Run> {
        let workflow = self.noisy.publish(graph).await;
        let mut runs = Vec::new();
        for _ in 0..count {
            runs.push(self.noisy.begin_again(&workflow, json!({})).await);
        }
        runs
    }

    /// The other tenant's runs complete while none of these does, and each of these ends when it is stopped.
    async fn leave_room(&self, noise: Vec<Run>) {
        for _ in 0..3 {
            let view = self.other.run(&graph([lua("a", "return { n = 1 }")]), json!({})).await;
            assert_eq!(view["status"], "completed", "{view:#}");
        }
        for run in &noise {
            assert_eq!(run.status().await, "running");
            run.stop().await;
        }
        while self.app.state.scripts.held() + self.app.state.calls.held() > 0 {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

fn drip(instance: &str) -> Value {
    with(tool_call("a", &[], instance, "wait", &json!({})), &json!({ "timeout_s": 120 }))
}

fn endless(id: &str) -> Value {
    with(lua(id, ENDLESS), &json!({ "timeout_s": 30 }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_with_a_call_that_drips() {
    let (world, mcp) = (World::new().await, McpStandIn::start().await);
    let instance = world.noisy.mcp_instance(&mcp.url).await;
    let noise = world.runs(&graph([drip(&instance)]), MANY).await;
    // A run that only waits is none of those that are moved: all of them are under way.
    while mcp.calls().len() < MANY {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_scripts() {
    let world = World::new().await;
    let noise = world.runs(&graph([endless("a")]), MANY).await;
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_of_endless_scripts_also_within_the_tenant() {
    let world = World::new().await;
    let items: Vec<usize> = (0..40).collect();
    let each = with(for_each("all", &json!(items), &[endless("a")]), &json!({ "for_each_max_parallel": 40 }));
    let noise = world.runs(&graph([each]), 1).await;
    while world.app.state.scripts.held() < 4 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let view = world.noisy.run(&graph([lua("a", "return { n = 1 }")]), json!({})).await;
    assert_eq!(view["status"], "completed", "{view:#}");
    assert_eq!(world.app.state.scripts.held(), 4, "a run has half of them");
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_of_scripts_without_end() {
    let world = World::new().await;
    let busy = lua("b", "for i = 1, 20000000 do end return { n = 1 }");
    let busy = with(busy, &json!({ "timeout_s": 30 }));
    let noise = world.runs(&graph([repeat("again", 1000, "return false", &[busy])]), MANY).await;
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_without_end() {
    let world = World::new().await;
    let child = world.noisy.publish(&graph([endless("a")])).await;
    let items: Vec<usize> = (0..MANY).collect();
    let each = for_each("all", &json!(items), &[call("go", &[], &child, &json!({}))]);
    let noise = world.runs(&graph([with(each, &json!({ "for_each_max_parallel": MANY }))]), 1).await;
    while world.app.state.scripts.held() < 7 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_that_do_not_answer() {
    let world = World::new().await;
    let models = Models::answering([openai_says("Late.", 1, 1).set_delay(Duration::from_secs(600))]).await;
    world.noisy.openai_key(&models, "sk-of-the-noisy-one-0123456789").await;
    let ask = json!({ "id": "ask", "type": "llm_call", "model_ref": "direct.openai.gpt-4.1", "prompt": "?" });
    let noise = world.runs(&graph([ask]), MANY).await;
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_leave_room_for_a_call() {
    let (world, mcp, answers) = (World::new().await, McpStandIn::start().await, McpStandIn::start().await);
    let instance = world.noisy.mcp_instance(&mcp.url).await;
    let items: Vec<usize> = (0..100).collect();
    let each = for_each("all", &json!(items), &[drip(&instance)]);
    let noise = world.runs(&graph([with(each, &json!({ "for_each_max_parallel": 100 }))]), 4).await;
    // Three quarters of 256.
    while world.app.state.calls.held() < 192 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let instance = world.other.mcp_instance(&answers.url).await;
    let echo = tool_call("a", &[], &instance, "echo", &json!({ "message": "hello" }));
    let view = world.other.run(&graph([echo]), json!({})).await;
    assert_eq!(view["status"], "completed", "{view:#}");
    assert_eq!(world.app.state.calls.held(), 192);
    world.leave_room(noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait() {
    let world = World::new().await;
    let run = world.noisy.begin(&graph([human("ask", &[])]), json!({})).await;
    let mut waiting = JoinSet::new();
    for _ in 0..400 {
        let (client, path) = (run.owner.client.clone(), run.path("?wait_s=20"));
        waiting.spawn(async move { client.get(&path).await });
    }
    // Beyond three quarters of 512.
    for _ in 384..400 {
        let refused = waiting.join_next().await.unwrap().unwrap();
        assert!(refused.header("retry-after").is_some());
        let error = refused.refused(429, "RATE_LIMITED");
        assert!(error["error"].as_str().unwrap().contains("384"), "{error:#}");
    }
    world.noisy.client.get("/v1/workflows").await.refused(429, "RATE_LIMITED");
    let view = world.other.run(&graph([lua("a", "return { n = 1 }")]), json!({})).await;
    assert_eq!(view["status"], "completed", "{view:#}");
    // Who does not wait any more takes nobody's place.
    waiting.shutdown().await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_runs_without_end() {
    let world = World::new().await;
    let ask = json!({ "graph": graph([lua("a", "return {}"), with(endless("b"), &json!({ "depends_on": ["a"] }))]),
                      "mock_step_outputs": { "a": {} } });
    let mut noise = JoinSet::new();
    for _ in 0..20 {
        let (client, ask) = (world.noisy.client.clone(), ask.clone());
        noise.spawn(async move { client.post("/v1/workflows/validate", &ask).await.status });
    }
    let begun = tokio::spawn({
        let threads = world.app.state.threads.clone();
        async move {
            while threads.busy() < 7 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
    });
    begun.await.unwrap();
    let checked = world.other.client.post("/v1/workflows/validate", &json!({ "graph": ask["graph"] })).await;
    checked.expect(200);
    assert!(noise.try_join_next().is_none(), "they are all at it still");
    // Those that have no thread in time are told so.
    let mut statuses = noise.join_all().await;
    statuses.sort();
    assert_eq!(statuses[..7], [http::StatusCode::OK; 7]);
    assert!(statuses.iter().any(|status| status.as_u16() == 503), "{statuses:?}");
}
