//! Runs that take their process with them: each is alone with the next one, and fails after a few losses suffered alone.
//! What was beside it is not held responsible, and neither is what a process was in the middle of that was told to end.

use std::path::Path;
use std::time::{Duration, Instant};

use it::{LocalProcess, Run, TestApp, Workspace, graph, lua, with};
use reqwest::Client;
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::worker::{Message, handle};

/// More starts than a process may need until it is rid of what it dies of.
const MAX_STARTS: usize = 12;

/// Between two looks at what another process does.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Waits until the journal of runs under way, which a process keeps beside its data, is like this.
async fn journal_is(data: &Path, like: impl Fn(&str) -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !std::fs::read_to_string(data.join("under_way")).is_ok_and(|journal| like(&journal)) {
        assert!(Instant::now() < until, "the journal never came to be so");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// The journal names a run that is under way.
fn names_a_run(journal: &str) -> bool {
    journal.contains("run_id")
}

/// The journal names a suspect twice: as it was when the process began, and as it is now that it is alone.
fn has_one_alone(journal: &str) -> bool {
    let entries: Vec<Value> = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_like = |one: &Value, other: &Value| {
        one["run_id"] == other["run_id"]
            && one["suspected"] == other["suspected"]
            && one["alone"].as_u64() > other["alone"].as_u64()
    };
    entries.iter().any(|one| entries.iter().any(|other| is_like(one, other)))
}

/// A local process on this data, and its API.
struct Api {
    http: Client,
    process: LocalProcess,
}

/// A run, by its path, and whose it is.
struct Started {
    token: String,
    path: String,
}

impl Api {
    /// With this limit of its memory, in MiB.
    fn start(data: &Path, memory: Option<u32>) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
        let limit = memory.map(|mib| ("ABORT_ABOVE_MIB", mib.to_string()));
        Self { http: it::http_client(), process: LocalProcess::with_env(program, data, limit) }
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> Option<Value> {
        let request =
            self.http.post(format!("{}{path}", self.process.base_url)).bearer_auth(token).json(body);
        request.send().await.ok()?.error_for_status().ok()?.json().await.ok()
    }

    /// None when the process died.
    async fn get(&self, run: &Started, more: &str) -> Option<Value> {
        let request = self.http.get(format!("{}{}{more}", self.process.base_url, run.path));
        request.bearer_auth(&run.token).send().await.ok()?.json().await.ok()
    }

    async fn publish(&self, token: &str, graph: &Value) -> String {
        let made = self.post(token, "/v1/workflows", &json!({ "name": "w", "graph": graph })).await.unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        self.post(token, &format!("/v1/workflows/{id}/versions"), &json!({})).await.unwrap();
        id
    }

    /// The start may not be answered any more: the run has an id of ours.
    async fn begin(&self, token: &str, workflow: &str, number: usize) -> Started {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let start = json!({ "command": "start", "params": { "run_id": id } });
        self.post(token, &format!("/v1/workflows/{workflow}/command"), &start).await;
        Started { token: token.to_owned(), path: format!("/v1/workflows/{workflow}/runs/{id}") }
    }

    /// Another tenant's token.
    async fn other(&self) -> String {
        let new = json!({ "name": "globex", "slug": "globex" });
        let opened =
            self.post(&self.process.operator_token, "/v1/onboarding/workspaces", &new).await.unwrap();
        opened["token"].as_str().unwrap().to_owned()
    }

    async fn is_over(&self, run: &Started) -> bool {
        self.get(run, "?wait_s=5").await.is_some_and(|run| !run["ended_at"].is_null())
    }

    /// Waits until a worker has claimed a step of the run that no worker before it had claimed.
    async fn is_claimed(&self, run: &Started, before: &Value) -> Option<Value> {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let view = self.get(run, "").await?;
            let step = &view["steps"][0];
            let is_claimed = step["status"] == "running" && step["started_at"] != *before;
            if is_claimed || !view["ended_at"].is_null() {
                return Some(view);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        None
    }
}

/// A script that counts so many millions.
fn busy(id: &str, millions: u32, timeout_s: u32) -> Value {
    let script =
        format!("local n = 0 for i = 1, {millions} * 1000000 do n = n + i % 7 end return {{ n = n }}");
    with(lua(id, &script), &json!({ "timeout_s": timeout_s }))
}

fn small() -> Value {
    graph([lua("a", "return { n = 1 }"), busy("b", 1, 30)])
}

async fn nine(api: &Api, token: &str, graph: &Value) -> Vec<Started> {
    let workflow = api.publish(token, graph).await;
    let mut started = Vec::new();
    for number in 1..=9 {
        started.push(api.begin(token, &workflow, number).await);
    }
    started
}

/// What the process dies of, one way and another, beside nine runs of another tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hungry_run_fails_alone_and_nine_of_another_tenant_complete() {
    let hungry = "local t = {} for i = 1, 24 do t[i] = string.rep(tostring(i % 10), 1000000 + i) end \
                  local n = 0 for i = 1, 3 * 1000000 do n = n + i % 7 end return { n = #t + n }";
    let steps = ["a", "b", "c", "d"].map(|id| with(lua(id, hungry), &json!({ "timeout_s": 30 })));
    let data = tempfile::tempdir().unwrap();
    let mut api = Api::start(data.path(), None);
    let (token, other) = (api.process.token.clone(), api.other().await);
    let poison = api.publish(&token, &graph(steps)).await;
    api.process.kill();
    api = Api::start(data.path(), Some(60));
    let innocent = nine(&api, &other, &small()).await;
    let poison = api.begin(&token, &poison, 100).await;
    let mut deaths = 0;
    while !api.is_over(&poison).await {
        assert!(api.process.has_ended(), "it dies of the run");
        deaths += 1;
        assert!(deaths <= MAX_STARTS, "it dies at each start");
        api = Api::start(data.path(), Some(60));
    }
    let view = api.get(&poison, "").await.unwrap();
    assert_eq!(
        (&view["status"], &view["failure_code"]),
        (&json!("failed"), &json!("WORKER_LOST")),
        "{view:#}"
    );
    assert!(view["error"].as_str().unwrap().contains("3 times"), "{view:#}");
    assert!(deaths >= 3, "{deaths}");
    for run in innocent {
        assert!(api.is_over(&run).await);
        let view = api.get(&run, "").await.unwrap();
        assert_eq!(view["status"], "completed", "{view:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_during_which_its_process_is_killed_each_time_fails() {
    let endless = graph([with(lua("a", "while true do end"), &json!({ "timeout_s": 30 }))]);
    let data = tempfile::tempdir().unwrap();
    let mut api = Api::start(data.path(), None);
    let (token, other) = (api.process.token.clone(), api.other().await);
    let innocent = nine(&api, &other, &small()).await;
    let poison = api.publish(&token, &endless).await;
    let poison = api.begin(&token, &poison, 100).await;
    // It is under way, and no row says so yet.
    journal_is(data.path(), |journal| journal.contains("000000000100")).await;
    let (mut deaths, mut claimed_at) = (0, Value::Null);
    let view = loop {
        api.process.kill();
        deaths += 1;
        assert!(deaths <= MAX_STARTS);
        api = Api::start(data.path(), None);
        let view = api.is_claimed(&poison, &claimed_at).await;
        let view = view.expect("alone, it is claimed before it is executed");
        if !view["ended_at"].is_null() {
            break view;
        }
        claimed_at = view["steps"][0]["started_at"].clone();
    };
    assert_eq!(
        (&view["failure_code"], &view["failed_step_id"]),
        (&json!("WORKER_LOST"), &json!("a")),
        "{view:#}"
    );
    assert!((4..=5).contains(&deaths), "beside others, and three times alone: {deaths}");
    for run in innocent {
        assert!(api.is_over(&run).await);
        assert_eq!(api.get(&run, "").await.unwrap()["status"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_runs_beside_others_survive_kills() {
    let data = tempfile::tempdir().unwrap();
    let mut api = Api::start(data.path(), None);
    let token = api.process.token.clone();
    let runs = nine(&api, &token, &graph([busy("a", 5, 30)])).await;
    journal_is(data.path(), names_a_run).await;
    api.process.kill();
    for _ in 0..5 {
        api = Api::start(data.path(), None);
        journal_is(data.path(), has_one_alone).await;
        api.process.kill();
    }
    api = Api::start(data.path(), None);
    for run in runs {
        let mut over = false;
        for _ in 0..12 {
            over = over || api.is_over(&run).await;
        }
        let view = api.get(&run, "").await.unwrap();
        assert!(over && view["status"] == "completed", "{view:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_told_to_end_is_no_loss() {
    let data = tempfile::tempdir().unwrap();
    let mut api = Api::start(data.path(), None);
    let token = api.process.token.clone();
    let workflow = api.publish(&token, &graph([busy("a", 12, 30)])).await;
    let run = api.begin(&token, &workflow, 1).await;
    for _ in 0..6 {
        journal_is(data.path(), names_a_run).await;
        // It waits for what is under way, and is not given the time.
        api.process.terminate();
        journal_is(data.path(), |journal| journal.starts_with("in order")).await;
        api.process.kill();
        api = Api::start(data.path(), None);
    }
    for _ in 0..4 {
        if api.is_over(&run).await {
            break;
        }
    }
    let view = api.get(&run, "").await.unwrap();
    assert_eq!(view["status"], "completed", "{view:#}");
}

/// On Lambda nothing is left of a process but messages that come again.
struct Batch {
    app: TestApp,
    bodies: Vec<String>,
}

impl Batch {
    async fn new() -> (Self, Run, Vec<Run>) {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let app = TestApp::without_worker(clock).await;
        let (acme, globex): (Workspace, Workspace) =
            (app.workspace("acme").await, app.workspace("globex").await);
        let endless = with(lua("a", "while true do end"), &json!({ "timeout_s": 10 }));
        let poison = acme.begin(&graph([endless]), json!({})).await;
        let workflow = globex.publish(&small()).await;
        let mut innocent = Vec::new();
        for _ in 0..9 {
            innocent.push(globex.begin_again(&workflow, json!({})).await);
        }
        let bodies = app.take_messages().await;
        assert_eq!(bodies.len(), 10);
        (Self { app, bodies }, poison, innocent)
    }

    /// A process that gets all of these messages, and dies when `dies` is over.
    async fn process(&self, receive_count: u32, dies: impl Future<Output = ()>) {
        let state = self.app.stores.state(self.app.state.clock.clone(), &[]);
        let messages = self.bodies.iter().enumerate().map(|(n, body)| Message {
            id: n.to_string(),
            body: body.clone(),
            receive_count,
        });
        let messages: Vec<Message> = messages.collect();
        tokio::select! {
            _ = handle(&state, messages, tokio::time::Instant::now() + Duration::from_secs(900)) => {}
            () = dies => {}
        }
    }
}

/// Waits until a worker has claimed the step at this time.
async fn is_claimed(run: &Run, now: String) {
    let is_claimed = |step: &Value| step["status"] == "running" && step["started_at"] == now.as_str();
    while !is_claimed(&run.step("a").await) {
        assert_eq!(run.status().await, "running");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_nine_complete_and_one_fails() {
    let (batch, poison, innocent) = Batch::new().await;
    // Nothing is claimed, and then the process is gone.
    batch.process(1, tokio::time::sleep(Duration::from_millis(20))).await;
    for receive_count in 2..=4 {
        batch.app.state.clock.advance(Duration::from_secs(120));
        let now = batch.app.state.clock.now().to_string();
        batch.process(receive_count, is_claimed(&poison, now)).await;
        assert_eq!(poison.status().await, "running", "loss {receive_count}");
    }
    batch.app.state.clock.advance(Duration::from_secs(120));
    batch.process(5, std::future::pending()).await;
    let view = poison.view().await;
    assert_eq!(
        (&view["status"], &view["failure_code"]),
        (&json!("failed"), &json!("WORKER_LOST")),
        "{view:#}"
    );
    for run in innocent {
        assert_eq!(run.status().await, "completed");
    }
    // Whoever retries it is no less careful.
    assert_eq!(poison.retry(&json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_twice_while_their_process_lives_are_no_loss() {
    let (batch, poison, innocent) = Batch::new().await;
    for receive_count in 2..=5 {
        batch.process(receive_count, std::future::pending()).await;
        batch.app.state.clock.advance(Duration::from_secs(120));
    }
    assert_eq!(poison.view().await["failure_code"], "LUA_TIMEOUT", "it ends by its timeout");
    for run in innocent {
        assert_eq!(run.status().await, "completed");
    }
}
