//! `kill -9` of the local process at many moments of its runs: after a restart on the same data every run that
//! was accepted ends, and no step was committed twice.

use std::path::Path;
use std::process::Command;

use it::{LocalProcess, chain, graph, lua, lua_after, with};
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

const ROUNDS: u64 = 15;
/// Events of the first workflow's run until its long step has started.
const UP_TO_THE_LONG_STEP: u64 = 10;

struct Api {
    http: Client,
    process: LocalProcess,
}

impl Api {
    fn start(data_dir: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
        Self { http: it::http_client(), process: LocalProcess::start(program, data_dir) }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, reqwest::Error> {
        let request =
            self.http.post(format!("{}{path}", self.process.base_url)).bearer_auth(&self.process.token);
        request.json(body).send().await?.error_for_status()?.json().await
    }

    async fn get(&self, path: &str) -> Value {
        let request =
            self.http.get(format!("{}{path}", self.process.base_url)).bearer_auth(&self.process.token);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Answers as soon as the run has more than so many events, or is over.
    async fn has_come_to(&self, workflow: &str, run: &str, events: u64) {
        let path = format!("/v1/workflows/{workflow}/runs/{run}/events");
        let seen = self.get(&format!("{path}?after={}&limit=1&wait_s=20", events.saturating_sub(1))).await;
        assert!(seen["events"].is_array(), "{seen:#}");
    }

    /// The run when it is over, for which a busy machine has a minute.
    async fn ended(&self, workflow: &str, run: &str) -> Value {
        let path = format!("/v1/workflows/{workflow}/runs/{run}?wait_s=20");
        let mut view = self.get(&path).await;
        for _ in 0..2 {
            if view["ended_at"].is_null() {
                view = self.get(&path).await;
            }
        }
        view
    }

    async fn publish(&self, graph: Value) -> String {
        let created = self.post("/v1/workflows", &json!({ "name": "w", "graph": graph })).await.unwrap();
        let id = created["id"].as_str().unwrap().to_owned();
        self.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await.unwrap();
        id
    }
}

/// Some steps are quick and committed in groups; some are slow enough to be claimed first. The last but one takes longer
/// than it takes to see what came before it and to kill.
fn mixed() -> Value {
    let busy = "local n = 0 for i = 1, 2000000 do n = n + i % 7 end return { n = n }";
    let busier = &busy.replace("2000000", "4000000");
    // Of a machine that has others to serve nothing is known.
    let patient = |step: Value| with(step, &json!({ "timeout_s": 30 }));
    graph([
        lua("a", "return { n = 1 }"),
        patient(lua_after("b", &["a"], busy)),
        patient(lua_after("c", &["a"], busy)),
        lua_after("d", &["b", "c"], "return { n = steps.b.result.n + steps.c.result.n }"),
        patient(lua_after("e", &["d"], busier)),
        lua_after("f", &["e"], "return { done = true }"),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_run_and_commits_no_step_twice() {
    let data = tempfile::tempdir().unwrap();
    let mut api = Api::start(data.path());
    let workflows = [api.publish(mixed()).await, api.publish(chain(40)).await];
    for round in 0..ROUNDS {
        let mut accepted = Vec::new();
        for workflow in &workflows {
            let start = json!({ "command": "start", "params": { "round": round } });
            let started = api.post(&format!("/v1/workflows/{workflow}/command"), &start).await.unwrap();
            accepted.push((workflow, started["run_id"].as_str().unwrap().to_owned()));
        }
        // One more start is on its way while the process dies; it may or may not have been accepted.
        let late = json!({ "command": "start", "params": {} });
        let path = format!("/v1/workflows/{}/command", workflows[0]);
        let mut started = None;
        let starting = async {
            started = api.post(&path, &late).await.ok();
            std::future::pending::<()>().await;
        };
        let (of, moment) = moment(round);
        let (workflow, run) = &accepted[of];
        tokio::select! {
            biased;
            () = api.has_come_to(workflow, run, moment) => {}
            () = starting => {}
        }
        if let Some(started) = started {
            accepted.push((&workflows[0], started["run_id"].as_str().unwrap().to_owned()));
        }
        api.process.kill();
        let killed_at = Timestamp::now();
        let mut open_at_kill = 0;
        api = Api::start(data.path());
        for (workflow, run) in &accepted {
            let run = api.ended(workflow, run).await;
            assert_eq!(run["status"], "completed", "round {round}: {run:#}");
            let ended_at: Timestamp = run["ended_at"].as_str().unwrap().parse().unwrap();
            open_at_kill += u64::from(ended_at > killed_at);
            check_events(&api, workflow, run["run_id"].as_str().unwrap()).await;
        }
        assert!(open_at_kill > 0, "round {round}: no run was open when the process was killed");
    }
    // Those too whose starts nobody heard of.
    for run in api.get("/v1/runs?limit=100").await["runs"].as_array().unwrap() {
        let id = |key: &str| run[key].as_str().unwrap();
        api.ended(id("workflow_id"), id("run_id")).await;
    }
    let usage =
        api.get("/v1/billing/usage-dimensions?window=all").await["actions"][0]["microcredits"].clone();
    api.process.kill();
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    let verify = ["ledger", "verify", "--data-dir"];
    let verified = Command::new(program).args(verify).arg(data.path()).output().unwrap();
    let told = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && told.starts_with("local: equal;"), "{told}");
    assert!(told.contains(&format!("used {usage},")), "each run was debited once: {usage}; {told}");
}

#[test]
fn a_ledger_that_is_not_there_is_not_verified() {
    let data = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    let verify = ["ledger", "verify", "--data-dir"];
    let verified = Command::new(program).args(verify).arg(data.path()).output().unwrap();
    assert!(!verified.status.success());
    assert!(String::from_utf8(verified.stderr).unwrap().contains("there is no data"));
}

/// When the process dies: as soon as this run is seen to have so many events. Of the first each moment up to the step that
/// takes long is there, and the second is met anywhere.
fn moment(round: u64) -> (usize, u64) {
    if round % 3 == 2 { (1, round * 2) } else { (0, 1 + round % UP_TO_THE_LONG_STEP) }
}

async fn check_events(api: &Api, workflow: &str, run: &str) {
    let events = api.get(&format!("/v1/workflows/{workflow}/runs/{run}/events?limit=100")).await;
    let events = events["events"].as_array().unwrap();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let mut completed: Vec<&str> = events
        .iter()
        .filter(|event| event["event_type"] == "step_completed")
        .map(|event| event["step_id"].as_str().unwrap())
        .collect();
    let steps = completed.len();
    completed.sort_unstable();
    completed.dedup();
    assert_eq!(completed.len(), steps, "a step was committed twice: {events:#?}");
}
