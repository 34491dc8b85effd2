//! What operators see: metrics, the ids in every line of the log, and one trace from a request to its steps.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use it::{Client, Fault, Faults, Kind, TestApp, Workspace, call, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::AppState;
use shared::platform::metrics::MetricsSink;
use shared::platform::queue::Queue;
use shared::platform::telemetry;
use shared::types::clock::{Clock, Timestamp};
use shared::worker::Received;
use tokio::time::Instant;

const TRACE: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
const TRACE_ID: &str = "1-67891233-abcdef012345678912345678";

/// Lines that were written.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Logs what this thread does from now on.
    fn log(&self, level: &str) -> tracing::subscriber::DefaultGuard {
        // While there is one subscriber only, `tracing` asks threads that have none whether a line is wanted, and keeps
        // their no.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(telemetry::lines(level, "info", io::sink)));
        let lines = self.clone();
        tracing::subscriber::set_default(telemetry::lines(level, "info", move || lines.clone()))
    }

    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A field of a line, of itself or of the spans that it stands in.
fn field<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    let spans = line["spans"].as_array().into_iter().flatten();
    spans.chain([line]).find_map(|of| of[name].as_str())
}

/// A deployment that measures: an app, somebody in it, its environment and what that has written.
async fn measured(clock: Clock) -> (TestApp, Workspace, AppState, Arc<Mutex<Vec<String>>>) {
    let app = TestApp::without_worker(clock.clone()).await;
    let kept = Arc::default();
    let sink = MetricsSink::Kept(Arc::clone(&kept));
    let state = app.stores.state_with(clock, |config| config.metrics = sink);
    let mut acme = app.workspace("acme").await;
    acme.client = Client::new(local::router(state.clone())).bearer(&acme.token);
    (app, acme, state, kept)
}

/// Every value of a metric, with those of its lines' labels that are asked for.
fn values(kept: &Mutex<Vec<String>>, metric: &str, labels: &[&str]) -> Vec<(Vec<String>, Value)> {
    let lines = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let has = |line: &Value| !line[metric].is_null();
    let labels = |line: &Value| labels.iter().map(|name| line[*name].as_str().unwrap().to_owned()).collect();
    lines.filter(has).map(|line| (labels(&line), line[metric].clone())).collect()
}

/// Hands the worker every message there is, with what the queue says of it; their traces.
async fn work(app: &TestApp, worker: &AppState) -> Vec<Option<String>> {
    let queue = &app.stores.queue;
    let mut traces = Vec::new();
    while let Some(message) = queue.receive(1, Duration::ZERO).await.unwrap().pop() {
        let receipt = message.receipt.clone();
        let mut received = Received::from(message);
        traces.push(received.trace.as_ref().map(|trace| trace.header().to_owned()));
        "m".clone_into(&mut received.message.id);
        let far = Instant::now() + Duration::from_secs(3600);
        assert!(shared::worker::handle(worker, [received], far).await.is_empty());
        queue.delete(&[receipt]).await.unwrap();
    }
    traces
}

#[tokio::test]
async fn a_run_is_measured_from_its_start_to_its_end() {
    let (app, acme, worker, kept) = measured(Clock::System).await;
    let steps = [lua("a", "return {}"), lua_after("b", &["a"], "error('no')")];
    let run = acme.begin(&graph(steps), json!({})).await;
    work(&app, &worker).await;
    assert_eq!(run.status().await, "failed");

    let texts = |labels: &[&str]| labels.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&kept, "runs_started", &["trigger"]), [(texts(&["api"]), json!(1))]);
    assert_eq!(values(&kept, "runs_ended", &["outcome"]), [(texts(&["failed"]), json!(1))]);
    let mut durations = values(&kept, "step_duration", &["step_type", "step_outcome"]);
    durations.sort_by(|one, other| one.0.cmp(&other.0));
    let of: Vec<_> = durations.iter().map(|(labels, _)| labels.clone()).collect();
    assert_eq!(of, [texts(&["lua_script", "completed"]), texts(&["lua_script", "failed"])]);
    assert!(durations.iter().all(|(_, took)| took.is_u64()), "{durations:?}");
    let ages = values(&kept, "queue_age", &[]);
    assert!(ages.len() == 1 && ages[0].1.as_u64().unwrap() < 60_000, "{ages:?}");
    assert_eq!(values(&kept, "cold_starts", &["function"]), [(texts(&["test"]), json!(1))]);
}

#[tokio::test]
async fn what_the_sweep_repairs_and_what_the_ingress_refuses_is_counted() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let (app, acme, state, kept) = measured(clock.clone()).await;
    acme.begin(&graph([lua("a", "return {}")]), json!({})).await;
    app.lose_messages();
    clock.advance(Duration::from_secs(120));
    shared::worker::sweep(&state, clock.now()).await.unwrap();
    assert_eq!(values(&kept, "sweep_repairs", &[]), [(vec![], json!(1))]);

    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let new = json!({ "workflow_id": workflow, "name": "Orders", "automation_bearer": acme.token });
    let made = acme.client.post("/v1/inbound-webhooks", &new).await.expect(201);
    let ingress = made["ingress_path"].as_str().unwrap();
    acme.client.post(ingress, &json!({})).await.expect(401);
    let nowhere = "/v1/inbound-webhooks/0199c1f0-5a00-7000-8000-00000000000a";
    acme.client.post(nowhere, &json!({})).await.expect(404);
    let refusals = values(&kept, "ingress_refusals", &["reason"]);
    let reasons: Vec<_> = refusals.iter().map(|(labels, count)| (labels[0].as_str(), count)).collect();
    assert_eq!(reasons, [("SIGNATURE_MISSING", &json!(1)), ("UNKNOWN", &json!(1))]);
    let text = kept.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    assert!(!text.contains(&acme.token) && !text.contains("acme"), "{text}");
}

#[tokio::test]
async fn one_trace_leads_from_a_request_through_messages_to_the_steps_of_a_called_run() {
    let (app, acme, worker, _) = measured(Clock::System).await;
    let lines = Lines::default();
    let child = acme.publish(&graph([lua("inner", "return {}")])).await;
    let parent = acme.publish(&graph([call("outer", &[], &child, &json!({}))])).await;
    let _guard = lines.log("info,worker=debug");
    let mut traced = acme.clone();
    traced.client = acme.client.with("x-amzn-trace-id", TRACE);
    let run = traced.begin_again(&parent, json!({})).await;
    let started = lines.take();
    assert_eq!(started.len(), 1, "{started:#?}");
    assert_eq!(field(&started[0], "trace_id"), Some(TRACE_ID));

    let traces = work(&app, &worker).await;
    assert!(traces.len() >= 3, "the parent, the child, the parent again: {traces:?}");
    assert!(traces.iter().all(|trace| trace.as_deref() == Some(TRACE)), "{traces:?}");
    let worked = lines.take();
    let of_steps: Vec<_> = worked.iter().filter(|line| field(line, "step_id").is_some()).collect();
    assert!(!of_steps.is_empty(), "{worked:#?}");
    assert!(worked.iter().all(|line| field(line, "trace_id") == Some(TRACE_ID)), "{worked:#?}");
    assert_eq!(run.status().await, "completed");
}

#[tokio::test]
async fn a_header_that_is_no_trace_goes_no_further() {
    let (app, acme, worker, _) = measured(Clock::System).await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let mut odd = acme.clone();
    odd.client = acme.client.with("x-amzn-trace-id", "Root=<script>");
    odd.start(&workflow, json!({})).await;
    assert_eq!(work(&app, &worker).await, [None]);
}

#[tokio::test]
async fn every_line_of_a_request_or_step_says_whose_and_of_what_it_is() {
    let (app, acme, worker, _) = measured(Clock::System).await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let lines = Lines::default();
    let _guard = lines.log("info,worker=debug");
    let run = acme.begin_again(&workflow, json!({})).await;
    work(&app, &worker).await;
    acme.client.with("x-request-id", "of-this-test").get(&run.path("")).await.expect(200);
    let lines = lines.take();

    assert!(lines.iter().all(|line| field(line, "tenant_id") == Some("acme")), "{lines:#?}");
    let of_step: Vec<_> = lines.iter().filter(|line| field(line, "step_id").is_some()).collect();
    assert_eq!(of_step.len(), 1, "{lines:#?}");
    let attempt = format!("{}/a/1", run.id);
    for (name, value) in [("run_id", &run.id), ("step_id", &"a".to_owned()), ("attempt_key", &attempt)] {
        assert_eq!(field(of_step[0], name), Some(value.as_str()), "{lines:#?}");
    }
    assert_eq!(field(of_step[0], "message_id"), Some("m"));
    let last = lines.last().unwrap();
    assert_eq!(
        (field(last, "request_id"), field(last, "run_id")),
        (Some("of-this-test"), Some(run.id.as_str()))
    );
    let text = Value::from(lines.clone()).to_string();
    assert!(!text.contains(&acme.token), "{text}");
}

/// What a request that fails leaves in the log, by the levels of its lines.
async fn levels(lines: &Lines, request: impl Future<Output = it::Answer>) -> (u16, Vec<String>) {
    lines.take();
    let status = request.await.status.as_u16();
    let level = |line: Value| line["level"].as_str().unwrap().to_owned();
    (status, lines.take().into_iter().map(level).filter(|level| level != "INFO").collect())
}

#[tokio::test]
async fn what_fails_for_a_caller_that_nobody_knows_is_no_error_in_the_log() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let hook = acme.subscribe(&workflow, json!({ "name": "w" })).await.path;
    let lines = Lines::default();
    let _guard = lines.log("info");
    let down = || {
        let faults = Faults::at(0, Fault::CrashBefore);
        Client::new(local::router(app.stores.faulty_state(clock.clone(), &faults)))
    };
    let new = json!({ "name": "w" });
    for path in ["/v1/workflows", "/v1/billing/grants", "/mcp", "/v1/billing/stripe-webhook", &hook] {
        for client in [down(), down().bearer(&acme.token), down().bearer("garbage")] {
            for client in [client.with("idempotency-key", "k"), client] {
                let (status, levels) = levels(&lines, client.post(path, &new)).await;
                assert!(status >= 400, "{path}: {status}");
                assert!(!levels.contains(&"ERROR".to_owned()), "{path}: {status} {levels:?}");
            }
        }
    }
    // A deployment that is not set up whole: anybody's calls meet that.
    app.stores.secrets.lose("operator-token");
    let state = app.stores.state(clock.clone(), &[]);
    let anyone = Client::new(local::router(state));
    let operator = anyone.bearer("x");
    assert_eq!(
        levels(&lines, operator.post("/v1/billing/grants", &new)).await,
        (500, vec!["WARN".to_owned()])
    );
    let unsold = anyone.post("/v1/billing/stripe-webhook", &new);
    assert_eq!(levels(&lines, unsold).await, (503, vec!["WARN".to_owned()]));
    // What fails for somebody who is known is one.
    let known = anyone.bearer(&acme.token);
    known.get("/v1/workflows").await.expect(200);
    let code = json!({ "code": "SPRING" });
    let unsold = known.post("/v1/billing/discounts/validate", &code);
    assert_eq!(levels(&lines, unsold).await, (503, vec!["ERROR".to_owned()]));
}

#[tokio::test]
async fn the_log_of_a_store_that_fails_has_the_whole_chain() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    acme.begin(&graph([lua("a", "return {}")]), json!({})).await;
    let faults = Faults::default();
    let state = app.stores.faulty_state(clock, &faults);
    let client = Client::new(local::router(state.clone())).bearer(&acme.token);
    client.get("/v1/workflows").await.expect(200);
    let lines = Lines::default();
    let _guard = lines.log("info");
    faults.begin_outage(Kind::Throttling, usize::MAX);

    let answer = client.get("/v1/workflows").await.expect(503);
    let message = app.stores.queue.receive(1, Duration::ZERO).await.unwrap().pop().unwrap();
    let far = Instant::now() + Duration::from_secs(3600);
    assert_eq!(shared::worker::handle(&state, [Received::from(message)], far).await.len(), 1);

    let cause = "ThrottlingException";
    let logged = lines.take();
    for (line, name) in [("request failed", "context"), ("a message failed", "error")] {
        let line = logged.iter().find(|of| of["message"] == line);
        let text = line.and_then(|line| field(line, name));
        assert!(text.is_some_and(|text| text.matches(cause).count() == 1), "{logged:#?}");
    }
    assert!(!answer.to_string().contains("Throttling"), "callers see nothing of it: {answer}");
}
