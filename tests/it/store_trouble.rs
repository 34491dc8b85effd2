//! A store that refuses for a while: requests wait a little and then say so, and workers wait as long as what they have
//! in flight may take. What a model was paid for is written, however often the write was refused. No time passes in
//! these tests: pauses go by their clock.

use std::net::TcpListener;
use std::time::Duration;

use it::{Client, Faults, Kind, Models, TestApp, Workspace, graph, lua, openai_says, with};
use serde_json::{Value, json};
use shared::AppState;
use shared::engine::RunStatus;
use shared::platform::aws::dynamodb;
use shared::platform::patience::Patience;
use shared::services::run::Watched;
use shared::store::{Store, StoreError};
use shared::types::clock::{Clock, Timestamp};
use shared::types::ids::{Place, RunRef};
use shared::worker::Message;
use tokio::time::Instant;
use wiremock::{Request, Respond, ResponseTemplate};

use crate::llm_wire::ask;
use crate::queue::sdk;

/// What every kind of call may hear for a while.
const OUTAGES: [Kind; 11] = [
    Kind::Dropped,
    Kind::Timeout,
    Kind::Internal,
    Kind::Throttling,
    Kind::Throughput,
    Kind::RequestLimit,
    Kind::Conflict,
    Kind::InProgress,
    Kind::CancelledByConflict,
    Kind::CancelledByThrottling,
    Kind::CancelledByThroughput,
];
/// More calls than anybody makes.
const FOR_GOOD: usize = usize::MAX;

async fn app() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

fn process(app: &TestApp, faults: &Faults) -> AppState {
    app.stores.faulty_state(app.state.clock.clone(), faults)
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_given_up_in_seconds() {
    // Takes connections and never answers.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let sdk = sdk(&format!("http://{}", server.local_addr().unwrap()));
    let store = Store::new(dynamodb(&sdk), "table", Clock::manual(Timestamp::default()));
    let begun = std::time::Instant::now();
    // Nothing is sent again here; how long that goes on is told elsewhere.
    let impatient = Patience::brief(Instant::now());
    let read = impatient.around(store.account(&"acme".parse().unwrap())).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_request_waits_for_a_table_and_then_is_503_with_retry_after() {
    let (app, acme) = app().await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    for kind in [Kind::Throttling, Kind::Throughput, Kind::Internal, Kind::Timeout, Kind::Dropped] {
        let faults = Faults::default();
        let client = Client::new(local::router(process(&app, &faults))).bearer(&acme.token);
        client.get("/v1/workflows").await.expect(200);
        faults.begin_outage(kind, 5);
        client.get("/v1/workflows").await.expect(200);
        faults.begin_outage(kind, FOR_GOOD);
        let start = json!({ "command": "start" });
        let began = Instant::now();
        for answer in [
            client.get("/v1/workflows").await,
            client.post(&format!("/v1/workflows/{workflow}/command"), &start).await,
            client.post("/v1/workflows", &json!({ "name": "w", "graph": graph([lua("a", "")]) })).await,
        ] {
            assert_eq!(answer.status, 503, "{kind:?}: {:#}", answer.body);
            assert!(answer.header("retry-after").is_some(), "{kind:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{kind:?}: pauses go by the clock");
        faults.end_outage();
        client.get("/v1/workflows").await.expect(200);
    }
}

/// A model during whose answer the table begins to refuse.
struct Breaking {
    faults: Faults,
    kind: Kind,
    calls: usize,
}

impl Respond for Breaking {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        self.faults.begin_outage(self.kind, self.calls);
        openai_says("Yes.", 3, 1)
    }
}

fn wake(run: &str) -> Message {
    let body = json!({ "tenant_id": "acme", "project_id": "default", "run_id": run }).to_string();
    Message { id: "m".to_owned(), body, receive_count: 1 }
}

/// A workflow that asks a model, and a run of it that nobody has looked at yet.
async fn asking(acme: &Workspace, models: &Models) -> (String, String) {
    acme.openai_key(models, "sk-test-0123456789").await;
    let thought = with(ask("direct.openai.gpt-4.1", &json!({})), &json!({ "timeout_s": 600 }));
    let workflow = acme.publish(&graph([thought])).await;
    let run = acme.start(&workflow, json!({})).await;
    (workflow, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_written_when_the_table_takes_it_again_and_not_paid_twice() {
    for kind in OUTAGES {
        let (app, acme) = app().await;
        let faults = Faults::default();
        // Minutes of refusals.
        let models = Models::responding(Breaking { faults: faults.clone(), kind, calls: 60 }).await;
        let (workflow, run) = asking(&acme, &models).await;
        let far = Instant::now() + Duration::from_secs(3600);
        let failed = shared::worker::handle(&process(&app, &faults), [wake(&run)], far).await;
        assert!(failed.is_empty(), "{kind:?}: the worker gives up");
        let of_run = acme.finished(&workflow, &run).await;
        assert_eq!(of_run["status"], "completed", "{kind:?}: {of_run:#}");
        assert_eq!(models.requests().await.len(), 1, "{kind:?}: the model is paid twice");
    }
}

/// A model that answers late, after a write of the worker was refused for good.
struct Failing(Faults);

impl Respond for Failing {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        self.0.begin_outage(Kind::Refused, 1);
        openai_says("Yes.", 3, 1).set_delay(Duration::from_secs(1))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_elsewhere_in_a_run_leaves_what_is_in_flight_alone() {
    let (app, acme) = app().await;
    let faults = Faults::default();
    let models = Models::responding(Failing(faults.clone())).await;
    acme.openai_key(&models, "sk-test-0123456789").await;
    // The write of the script's result is refused while the model is asked.
    let slow = lua("b", "local n = 0 for i = 1, 3e6 do n = n + i end return { n = n }");
    let workflow = acme.publish(&graph([ask("direct.openai.gpt-4.1", &json!({})), slow])).await;
    let run = acme.start(&workflow, json!({})).await;
    let far = Instant::now() + Duration::from_secs(3600);
    let worker = process(&app, &faults);
    shared::worker::handle(&worker, [wake(&run)], far).await;
    assert_eq!(faults.end_outage(), 0, "a write was refused");
    let failed = shared::worker::handle(&worker, [wake(&run)], far).await;
    assert!(failed.is_empty());
    let of_run = acme.finished(&workflow, &run).await;
    assert_eq!(of_run["status"], "completed", "{of_run:#}");
    assert_eq!(models.requests().await.len(), 1, "a call was ended and made again");
}

/// A model that answers late, after the worker was made to look at the run while the table refuses.
struct Looking {
    faults: Faults,
    worker: AppState,
    run: RunRef,
}

impl Respond for Looking {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        // More than a look has patience for.
        self.faults.begin_outage(Kind::Throttling, 20);
        self.worker
            .watch
            .publish(&self.run, Watched { status: RunStatus::Running, seq: u64::MAX, ended: None });
        openai_says("Yes.", 3, 1).set_delay(Duration::from_millis(200))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_fails_ends_no_call() {
    let (app, acme) = app().await;
    let faults = Faults::default();
    let worker = process(&app, &faults);
    let run_id = shared::types::ids::RunId::new(app.state.clock.now());
    let place = Place { tenant_id: "acme".parse().unwrap(), project_id: "default".parse().unwrap() };
    let run = RunRef { place, run_id };
    let looking = Looking { faults: faults.clone(), worker: worker.clone(), run };
    let models = Models::responding(looking).await;
    acme.openai_key(&models, "sk-test-0123456789").await;
    let workflow = acme.publish(&graph([ask("direct.openai.gpt-4.1", &json!({}))])).await;
    let start = json!({ "command": "start", "params": { "run_id": run_id, "trigger_payload": {} } });
    acme.client.post(&format!("/v1/workflows/{workflow}/command"), &start).await.expect(200);
    let far = Instant::now() + Duration::from_secs(3600);
    let failed = shared::worker::handle(&worker, [wake(&run_id.to_string())], far).await;
    assert!(failed.is_empty(), "the worker gives up");
    assert_eq!(faults.end_outage(), 0, "the table refused in vain");
    let of_run: Value = acme.finished(&workflow, &run_id.to_string()).await;
    assert_eq!(of_run["status"], "completed", "{of_run:#}");
    assert_eq!(models.requests().await.len(), 1, "a call was ended and made again");
}
