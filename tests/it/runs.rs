//! Runs, from start to end.

use it::{TestApp, chain, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::types::clock::Clock;

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event_type"].as_str()).collect()
}

#[tokio::test]
async fn the_main_job_runs_and_tells_what_happened() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let run = acme
        .run(
            &graph([lua("echo", "return { message = 'ok', input = input }")]),
            json!({ "customer_email": "alex@example.com", "order_id": "12345" }),
        )
        .await;
    assert_eq!(run["status"], "completed");
    assert_eq!(run["outputs"]["echo"]["message"], "ok");
    let context = acme.of_run(&run, "context").await;
    assert_eq!(context["steps"]["echo"]["result"]["input"]["customer_email"], "alex@example.com");
    let events = acme.events(&run).await;
    let expected = ["run_started", "state_changed", "step_started", "step_completed", "state_changed"];
    assert_eq!(types(&events), expected);
    let seqs: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_chain_of_500_steps_completes() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let run = acme.run(&chain(500), json!({})).await;
    assert_eq!(run["status"], "completed", "{run:#}");
    assert_eq!(run["outputs"]["s499"]["n"], 500);
    assert_eq!(acme.events(&run).await.len(), 500 * 2 + 3);
}

#[tokio::test]
async fn a_fan_in_of_500_steps_sees_every_branch() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let branches: Vec<String> = (0..499).map(|at| format!("b{at}")).collect();
    let ids: Vec<&str> = branches.iter().map(String::as_str).collect();
    let sum = "local n = 0 for _, step in pairs(steps) do n = n + step.result.n end return { n = n }";
    let mut steps: Vec<Value> = ids.iter().map(|id| lua(id, "return { n = 1 }")).collect();
    steps.push(lua_after("sum", &ids, sum));
    let run = acme.begin(&graph(steps), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    assert_eq!(run.result("sum").await["n"], 499);
}
