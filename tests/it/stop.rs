//! A stop ends what runs, long before its time is over: in the process that it is commanded in at once, in another one after its
//! next look.

use std::time::{Duration, Instant};

use it::{Run, TestApp, Workspace, call, for_each, graph, lua, with};
use serde_json::{Value, json};
use shared::AppState;
use shared::types::clock::Clock;
use tokio::sync::watch;

/// Far from what a busy machine takes for a stop, and from the half minute that a script would go on.
const SOON: Duration = Duration::from_secs(10);

async fn acme(app: &TestApp) -> Workspace {
    app.workspace("acme").await
}

fn endless(script: &str) -> Value {
    with(lua("a", script), &json!({ "timeout_s": 30 }))
}

/// Waits until so many scripts run here.
async fn busy(worker: &AppState, scripts: usize) {
    while worker.scripts.held() != scripts {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stops a run, and says how long its scripts went on here.
async fn stopped(worker: &AppState, run: &Run) -> Duration {
    let began = Instant::now();
    run.stop().await;
    busy(worker, 0).await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_ends_also_one_that_catches_every_error() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
        "while true do string.rep('x', 100000):find(string.rep('a?', 20) .. string.rep('a', 20)) end",
    ] {
        let run = acme.begin(&graph([endless(script)]), json!({})).await;
        busy(&app.state, 1).await;
        // Nothing is written of it yet, and the second time it is.
        let took = stopped(&app.state, &run).await;
        assert!(took < SOON, "{script}: {took:?}");
        assert_eq!(run.status().await, "stopped");
        let run = acme.begin(&graph([endless(script)]), json!({})).await;
        while run.step("a").await["status"] != "running" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = stopped(&app.state, &run).await;
        assert!(took < SOON, "{script}: {took:?}");
        assert_eq!(run.outcomes().await, ["a cancelled"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_runs_give_all_threads_back() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    let mut runs = Vec::new();
    for _ in 0..12 {
        runs.push(acme.begin(&graph([endless("while true do end")]), json!({})).await);
    }
    // All but one of eight.
    busy(&app.state, 7).await;
    let began = Instant::now();
    for run in &runs {
        run.stop().await;
    }
    let view = acme.run(&graph([lua("a", "return { n = 1 }")]), json!({})).await;
    assert_eq!(view["status"], "completed");
    busy(&app.state, 0).await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// Parents with so many endless children below them, over so many levels.
async fn family(acme: &Workspace, levels: usize, children: usize) -> Run {
    let mut graph_of = graph([endless("while true do end")]);
    for _ in 0..levels {
        let child = acme.publish(&graph_of).await;
        let items: Vec<usize> = (0..children).collect();
        let each = for_each("all", &json!(items), &[call("go", &[], &child, &json!({}))]);
        graph_of = graph([with(each, &json!({ "for_each_max_parallel": children }))]);
    }
    acme.begin(&graph_of, json!({})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_parent_stops_what_is_below_it() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    for (levels, children, threads) in [(1, 1, 1), (3, 1, 1), (2, 2, 4)] {
        let run = family(&acme, levels, children).await;
        busy(&app.state, threads).await;
        let took = stopped(&app.state, &run).await;
        assert!(took < SOON, "{levels} {children}: {took:?}");
    }
}

async fn runs(acme: &Workspace, status: &str) -> usize {
    let runs = acme.client.get(&format!("/v1/runs?limit=100&status={status}")).await.expect(200);
    runs["runs"].as_array().unwrap().len()
}

/// More than are moved side by side: what tells them of the stop does not stand behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_parent_reaches_children_that_have_every_place() {
    let app = TestApp::start().await;
    let acme = acme(&app).await;
    let run = family(&acme, 1, 70).await;
    // All of them, and their parent, which nobody is at any more.
    while runs(&acme, "running").await < 71 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    busy(&app.state, 7).await;
    run.stop().await;
    while runs(&acme, "running").await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(runs(&acme, "stopped").await, 71, "none came to its end otherwise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_one_process_ends_a_script_in_another() {
    let app = TestApp::without_worker(Clock::System).await;
    let worker = app.stores.state(Clock::System, &[]);
    let stop = watch::Sender::new(false);
    tokio::spawn(local::poll(worker.clone(), app.stores.queue.clone(), stop.subscribe()));
    let acme = acme(&app).await;
    for script in ["while true do end", "while true do pcall(function() while true do end end) end"] {
        let run = acme.begin(&graph([endless(script)]), json!({})).await;
        busy(&worker, 1).await;
        // Whenever it comes: just before a look, and just after one.
        tokio::time::sleep(Duration::from_millis(1300)).await;
        let took = stopped(&worker, &run).await;
        assert!(took < SOON, "{script}: {took:?}");
    }
    let run = family(&acme, 1, 2).await;
    busy(&worker, 2).await;
    let took = stopped(&worker, &run).await;
    assert!(took < SOON, "through a parent: {took:?}");
    assert_eq!(app.state.scripts.held(), 0, "nothing was executed here");
}
