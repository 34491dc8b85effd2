//! Runs of every kind, and what analytics must say of them, worked out from the runs themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Workspace;
use crate::graphs::{call, chain, for_each, graph, human, lua, lua_after};
use crate::run::Run;

/// A quantile is told to within this part of it.
const ACCURACY: f64 = 0.02;
/// How long a minute is.
const MINUTE: Duration = Duration::from_secs(60);

/// What was found in runs: of those that ended, unless it says otherwise.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs by status, live ones included.
    pub by_status: BTreeMap<String, u64>,
    /// How long each took, in milliseconds.
    pub durations: Vec<u64>,
    /// Runs by the day on which they ended, and by status.
    pub by_day: BTreeMap<String, BTreeMap<String, u64>>,
    /// How long each executed step took, by type.
    pub steps: BTreeMap<String, Vec<u64>>,
}

/// Lets a project have so many runs, one after the other, over days of the test's clock: runs that complete, fail, are
/// stopped, loop, call each other, wait for people, are paused and retried, and some that go on.
///
/// # Panics
/// When something goes wrong.
pub async fn run_mixed(app: &TestApp, owner: &Workspace, count: u32) {
    let publish = async |graph: Value| owner.publish(&graph).await;
    let simple = publish(chain(2)).await;
    let fails = publish(graph([lua("a", "return {}"), lua_after("b", &["a"], "error('no')")])).await;
    let asks = [lua("a", "return {}"), human("ask", &["a"]), lua_after("b", &["ask"], "return {}")];
    let asks = publish(graph(asks)).await;
    let body = [lua("inner", "return { n = item }")];
    let loops = publish(graph([for_each("each", &json!([1, 2, 3]), &body)])).await;
    let calls = publish(graph([call("child", &[], &simple, &json!({}))])).await;
    for number in 0..count {
        let kind = number % 8;
        let workflow = [&simple, &fails, &asks, &asks, &loops, &asks, &asks, &calls][kind as usize];
        let run = owner.begin_again(workflow, json!({})).await;
        app.work().await;
        // Not the same twice, and long enough to go through the days.
        app.state.clock.advance(MINUTE * (number * 37 % 61) + Duration::from_millis(u64::from(number) * 7));
        match kind {
            2 => run.approve("ask").await,
            3 => drop(run.command("stop", None).await.expect(200)),
            5 => stopped_and_retried(app, &run, number).await,
            6 => paused(app, &run, number).await,
            _ => {}
        }
        app.work().await;
    }
}

async fn stopped_and_retried(app: &TestApp, run: &Run, number: u32) {
    drop(run.command("stop", None).await.expect(200));
    app.state.clock.advance(MINUTE * 90);
    run.owner.client.post(&run.path("/retry"), &json!({})).await.expect(200);
    app.work().await;
    app.state.clock.advance(MINUTE * (number % 7));
    if number.is_multiple_of(3) { run.reject("ask").await } else { run.approve("ask").await }
}

async fn paused(app: &TestApp, run: &Run, number: u32) {
    run.pause().await;
    app.state.clock.advance(MINUTE * 3);
    match number % 5 {
        // These go on.
        0 => {}
        1 => drop(run.resume().await),
        _ => {
            run.resume().await;
            run.approve("ask").await;
        }
    }
}

impl Found {
    /// Reads every run of a project.
    ///
    /// # Panics
    /// When an answer is not as expected.
    pub async fn in_runs_of(owner: &Workspace) -> Self {
        let mut found = Self::default();
        let mut cursor = String::new();
        let mut types: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        loop {
            let page = owner.client.get(&format!("/v1/runs?limit=100{cursor}")).await.expect(200);
            for run in page["runs"].as_array().expect("runs") {
                let workflow = run["workflow_id"].as_str().expect("a workflow").to_owned();
                if !types.contains_key(&workflow) {
                    let version = format!("/v1/workflows/{workflow}/versions/1");
                    let version = owner.client.get(&version).await.expect(200);
                    types.insert(workflow.clone(), types_in(&version["graph_snapshot"]["steps"]));
                }
                found.note(owner, run, &types[&workflow]).await;
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    async fn note(&mut self, owner: &Workspace, run: &Value, types: &BTreeMap<String, String>) {
        let status = run["status"].as_str().expect("a status").to_owned();
        *self.by_status.entry(status.clone()).or_default() += 1;
        let Some(ended_at) = run["ended_at"].as_str() else { return };
        let time = |text: &str| text.parse::<shared::types::clock::Timestamp>().expect("a time");
        let took = time(ended_at).since(time(run["started_at"].as_str().expect("a start")));
        self.durations.push(u64::try_from(took.as_millis()).expect("not so long"));
        *self.by_day.entry(ended_at[..10].to_owned()).or_default().entry(status).or_default() += 1;
        for event in owner.events(run).await {
            let Some(took) = event["data"]["duration_ms"].as_u64() else { continue };
            // An inner step's is `parent#body#inner`.
            let step = event["step_id"].as_str().expect("a step").rsplit('#').next().unwrap_or_default();
            let step_type = &types[step];
            // A loop executes nothing itself.
            if event["event_type"] == "step_completed" && step_type != "for_each" {
                self.steps.entry(step_type.clone()).or_default().push(took);
            }
        }
    }

    /// Asks for every figure of all time and compares it with what was found.
    ///
    /// # Panics
    /// When one is wrong.
    pub async fn agrees_with(&self, owner: &Workspace) {
        let ask = async |path: &str| {
            owner.client.get(&format!("/v1/analytics/{path}?window=all")).await.expect(200)
        };
        let ended = |status: &str| self.by_status.get(status).copied().unwrap_or(0);
        let finished = self.durations.len() as u64;

        let live = ask("live-runs").await;
        for status in ["pending", "running", "paused", "draining"] {
            assert_eq!(live["by_status"][status], ended(status), "{live:#}");
        }
        let all: u64 = self.by_status.values().sum();
        assert_eq!(live["live_runs"], all - finished);

        let rate = ask("success-rate").await;
        #[allow(clippy::cast_precision_loss, reason = "small")]
        let expected = (finished >= 3).then(|| ended("completed") as f64 / finished as f64);
        assert_eq!(rate["success_rate"].as_f64(), expected, "{rate:#}");
        let count = ask("runs-count").await;
        assert_eq!(count["count"], finished);
        for status in ["completed", "failed", "stopped"] {
            assert_eq!(count["by_status"][status], ended(status), "{count:#}");
            assert_eq!(rate[status], ended(status), "{rate:#}");
        }

        let took = ask("execution-duration").await;
        assert_eq!(took["count"], finished);
        let sum: u64 = self.durations.iter().sum();
        assert_eq!(took["average_ms"].as_u64(), sum.checked_div(finished), "{took:#}");
        for (name, part) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
            near(&took[name], &self.durations, part);
        }

        let executed: usize = self.steps.values().map(Vec::len).sum();
        assert_eq!(ask("steps-executed").await["count"], executed);
        let summary = ask("steps-summary").await;
        let steps = summary["steps"].as_array().expect("steps");
        assert_eq!(steps.len(), self.steps.len(), "{summary:#}");
        for step in steps {
            let found = &self.steps[step["step_type"].as_str().expect("a type")];
            assert_eq!(step["count"], found.len(), "{step:#}");
            near(&step["p50_ms"], found, 0.5);
            near(&step["p95_ms"], found, 0.95);
        }

        let series = ask("runs-timeseries").await;
        let mut days = 0;
        for point in series["points"].as_array().expect("points") {
            let day = point["at"].as_str().expect("a time").get(..10).unwrap_or_default();
            let found = self.by_day.get(day).cloned().unwrap_or_default();
            days += usize::from(!found.is_empty());
            assert_eq!(point["count"], found.values().sum::<u64>(), "{point:#}");
            for status in ["completed", "failed", "stopped"] {
                assert_eq!(point[status], found.get(status).copied().unwrap_or(0), "{point:#}");
            }
        }
        assert_eq!(days, self.by_day.len(), "no day is left out");
        let usage = ask("usage-timeseries").await;
        let steps = usage["points"].as_array().expect("points").iter();
        let steps: u64 = steps.map(|point| point["steps_executed"].as_u64().expect("a count")).sum();
        assert_eq!(steps, executed as u64);
    }
}

/// Step types by id, those of inner steps included.
fn types_in(steps: &Value) -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    for step in steps.as_array().into_iter().flatten() {
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        types.insert(text("id"), text("type"));
        types.extend(types_in(&step["for_each_body_steps"]));
    }
    types
}

#[track_caller]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds"
)]
fn near(told: &Value, exact: &[u64], part: f64) {
    let mut sorted = exact.to_vec();
    sorted.sort_unstable();
    let exact = sorted[(part * (sorted.len() - 1) as f64) as usize] as f64;
    let told = told.as_f64().expect("a number");
    assert!((told - exact).abs() <= exact * ACCURACY + 1.0, "the quantile {part} is {exact}, told as {told}");
}
