//! The promises of the run protocol under failure, by enumeration: every storage and queue call of a run fails
//! before and after its effect, as an error and as a crash of its process; messages come once, twice, at the
//! same time, in reverse, or not at all for a while. After each, the run must have ended as it should, with
//! every step committed once.

use std::collections::BTreeMap;
use std::time::Duration;

use it::{Fault, Faults, chain, graph, lua, lua_after};
use run_step_worker::Message;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::{DELIVERIES, Delivery, World};

/// A graph and how its run must end.
struct Case {
    name: &'static str,
    graph: Value,
    status: &'static str,
    /// Status by step.
    steps: Vec<(&'static str, &'static str)>,
}

fn cases() -> Vec<Case> {
    let big = "return { text = string.rep('x', 9000) .. tostring(math.random()) }";
    let mut retried = lua("slow", "while true do end");
    retried["timeout_s"] = json!(0.01);
    retried["retry_count"] = json!(1);
    let mut kept = lua("bad", "error('no')");
    kept["continue_on_error"] = json!(true);
    let mut skipped = lua_after("skipped", &["bad"], "return {}");
    skipped["condition"] = json!("{{ steps.bad.result.ok }}");
    vec![
        Case {
            name: "a chain",
            graph: chain(3),
            status: "completed",
            steps: vec![("s0", "completed"), ("s2", "completed")],
        },
        Case {
            name: "a diamond with large results",
            graph: graph([
                lua("a", big),
                lua_after("b", &["a"], big),
                lua_after("c", &["a"], big),
                lua_after(
                    "d",
                    &["b", "c"],
                    "return { n = #steps.b.result.text + #steps.c.result.text > 18000 }",
                ),
            ]),
            status: "completed",
            steps: vec![("a", "completed"), ("b", "completed"), ("c", "completed"), ("d", "completed")],
        },
        Case {
            name: "a failure",
            graph: graph([
                lua("a", "return {}"),
                lua_after("b", &["a"], "error('no')"),
                lua_after("c", &["b"], "return {}"),
            ]),
            status: "failed",
            steps: vec![("a", "completed"), ("b", "failed"), ("c", "skipped")],
        },
        Case {
            name: "a failure that is kept, and a condition",
            graph: graph([kept, skipped, lua_after("after", &["skipped"], "return {}")]),
            status: "completed",
            steps: vec![("bad", "failed"), ("skipped", "skipped"), ("after", "completed")],
        },
        Case { name: "a retry", graph: graph([retried]), status: "failed", steps: vec![("slow", "failed")] },
    ]
}

/// The world of one scenario after another: a published workflow, a clock that stands still, processes that may
/// die.
struct World {
    app: TestApp,
    acme: Workspace,
    workflow: String,
    clock: Clock,
    delivery: Delivery,
    /// The run of this scenario.
    run_id: String,
    lost: usize,
    /// Whether the process that may die sweeps, too.
    sweep_may_fail: bool,
    /// What all processes wrote.
    commits: Commits,
    /// How many scenarios there were.
    scenarios: u64,
}

impl World {
    async fn new(case: &Case, delivery: Delivery) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let app = TestApp::without_worker(clock.clone()).await;
        let acme = app.workspace("acme").await;
        let workflow = acme.publish(&case.graph).await;
        Self {
            app,
            acme,
            workflow,
            clock,
            delivery,
            run_id: String::new(),
            lost: 0,
            sweep_may_fail: false,
            commits: Commits::default(),
            scenarios: 0,
        }
    }

    fn next_scenario(&mut self) {
        self.run_id = shared::ids::RunId::new(self.clock.now()).to_string();
        self.lost = 0;
        self.scenarios += 1;
    }

    fn process(&self, faults: &Faults) -> AppState {
        // In this order: what took effect is noted before its answer is lost.
        self.app.stores.state(self.clock.clone(), &[self.commits.interceptor(), faults.interceptor()])
    }

    fn healthy_process(&self) -> AppState {
        self.process(&Faults::default())
    }

    /// A client starts the run and, as clients do, asks again with the same id until it is told that it did.
    async fn start(&self, faults: &Faults) {
        let faulty = Client::new(local::router(self.process(faults))).bearer(&self.acme.token);
        let path = format!("/v1/workflows/{}/command", self.workflow);
        let command =
            json!({ "command": "start", "params": { "run_id": self.run_id, "trigger_payload": { "k": 1 } } });
        let healthy = Client::new(local::router(self.healthy_process())).bearer(&self.acme.token);
        for client in [&faulty, &faulty, &healthy] {
            if client.post(&path, &command).await.status == 200 {
                return;
            }
        }
        panic!("a healthy process refuses the start");
    }

    async fn run(&self) -> Value {
        let path = format!("/v1/workflows/{}/runs/{}", self.workflow, self.run_id);
        self.acme.client.get(&path).await.expect(200)
    }

    /// Takes what is in the queue.
    async fn messages(&mut self) -> Vec<String> {
        let client = local::embedded::sqs_client(&self.app.stores.sqs, []);
        let mut bodies = Vec::new();
        loop {
            let url = &self.app.stores.queue_url;
            let batch =
                client.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
            let batch = batch.messages.unwrap_or_default();
            if batch.is_empty() {
                break;
            }
            for message in batch {
                let receipt = message.receipt_handle.unwrap();
                client.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
                bodies.push(message.body.unwrap());
            }
        }
        match self.delivery {
            Delivery::Reversed => bodies.reverse(),
            Delivery::Lost(most) => {
                let now = bodies.len().min(most - self.lost.min(most));
                self.lost += now;
                bodies.drain(..now);
            }
            Delivery::Once | Delivery::Twice | Delivery::AtOnce => {}
        }
        bodies
    }

    /// Hands a message to workers: the one that may die, and after it healthy ones, as often as a queue would.
    async fn deliver(&self, body: &str, faulty: &AppState, faults: &Faults) {
        let far = Instant::now() + Duration::from_secs(3600);
        let message = |receive_count| Message { id: "m".to_owned(), body: body.to_owned(), receive_count };
        let healthy = || self.healthy_process();
        let state = || if faults.is_dead() { healthy() } else { faulty.clone() };
        match self.delivery {
            Delivery::AtOnce => {
                let (one, other) = (state(), healthy());
                tokio::join!(
                    run_step_worker::handle(&one, [message(1)], far),
                    run_step_worker::handle(&other, [message(2)], far),
                );
            }
            Delivery::Twice => {
                run_step_worker::handle(&state(), [message(1)], far).await;
                run_step_worker::handle(&state(), [message(2)], far).await;
            }
            Delivery::Once | Delivery::Reversed | Delivery::Lost(_) => {
                for count in 1..=3 {
                    if run_step_worker::handle(&state(), [message(count)], far).await.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Lets time pass, messages come and the sweep tick until the run is over.
    async fn until_over(&mut self, faults: &Faults) -> Value {
        let faulty = self.process(faults);
        for _ in 0..12 {
            for body in self.messages().await {
                self.deliver(&body, &faulty, faults).await;
            }
            let run = self.run().await;
            if run["ended_at"].is_string() {
                return run;
            }
            self.clock.advance(Duration::from_secs(61));
            // Where the sweep may be hit by the fault too, the next one goes on.
            if !self.sweep_may_fail || sweep::sweep(&faulty, faulty.clock.now()).await.is_err() {
                let healthy = self.healthy_process();
                sweep::sweep(&healthy, healthy.clock.now()).await.unwrap();
            }
        }
        panic!("the run does not end: {:#}", self.run().await);
    }
}

async fn check(world: &World, case: &Case, run: &Value, what: &str) {
    assert_eq!(run["status"], case.status, "{what}: {run:#}");
    for (id, status) in &case.steps {
        let step = run["steps"].as_array().unwrap().iter().find(|step| step["id"] == *id).unwrap();
        assert_eq!(step["status"], *status, "{what}: {run:#}");
    }
    let events = world.acme.events(run).await;
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>(), "{what}: seq without gaps");
    let mut ends: BTreeMap<(String, String), usize> = BTreeMap::new();
    for event in &events {
        let attempt = event["data"]["attempt"].to_string();
        let key = match event["event_type"].as_str().unwrap() {
            "step_completed" => (event["step_id"].to_string(), "settled".to_owned()),
            "step_failed" => (event["step_id"].to_string(), format!("failed {attempt}")),
            "state_changed" => ("run".to_owned(), event["data"]["to"].to_string()),
            "run_started" => ("run".to_owned(), "run_started".to_owned()),
            _ => continue,
        };
        *ends.entry(key).or_default() += 1;
    }
    for (key, count) in &ends {
        assert_eq!(*count, 1, "{what}: {key:?} is committed once: {events:#?}");
    }
    let revisions = world.commits.of(&world.run_id);
    let expected: Vec<u64> = (1..=revisions.len() as u64).collect();
    assert_eq!(revisions, expected, "{what}: each state was followed by one other");
    // Terminal is final: what comes late changes nothing.
    let key = serde_json::json!({ "tenant_id": "acme", "project_id": "default", "run_id": world.run_id })
        .to_string();
    let late = Message { id: "late".to_owned(), body: key, receive_count: 2 };
    run_step_worker::handle(&world.app.state, [late], Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(world.acme.events(run).await.len(), events.len(), "{what}: a terminal run is final");
}

/// After all scenarios: each run counts once, with the steps that it executed.
async fn check_counters(world: &World, what: &str) {
    let told = async |name: &str| {
        world.acme.client.get(&format!("/v1/analytics/{name}?window=all")).await.expect(200)
    };
    let run = world.acme.of_run(&world.run().await, "summary").await;
    let executed = run["steps_executed"].as_u64().unwrap() * world.scenarios;
    let counted = told("runs-count").await["by_status"][run["status"].as_str().unwrap()].clone();
    assert_eq!(counted, world.scenarios, "{what}: each run counts once");
    assert_eq!(told("runs-count").await["count"], world.scenarios, "{what}");
    assert_eq!(told("steps-executed").await["count"], executed, "{what}: each step counts once");
    assert_eq!(told("live-runs").await["live_runs"], 0, "{what}");
}

async fn replay(world: &mut World, case: &Case, faults: &Faults, what: &str) {
    world.next_scenario();
    world.start(faults).await;
    let run = world.until_over(faults).await;
    check(world, case, &run, what).await;
}

async fn every_fault(case: &Case, deliveries: &[Delivery], sweep_may_fail: bool) {
    for &delivery in deliveries {
        let mut world = World::new(delivery, None, &case.graph).await;
        world.sweep_may_fail = sweep_may_fail;
        let none = Faults::default();
        replay(&mut world, case, &none, &format!("{} / {delivery:?} / no fault", case.name)).await;
        let calls = none.calls();
        assert!(calls >= 4, "a run takes at least a look, a write, a look and a write");
        for call in 0..calls {
            for fault in Fault::ALL {
                let what = format!("{} / {delivery:?} / call {call} of {calls} / {fault:?}", case.name);
                replay(&mut world, case, &Faults::at(call, fault), &what).await;
            }
        }
        check_counters(&world, &format!("{} / {delivery:?}", case.name)).await;
    }
}

macro_rules! replays {
    ($($name:ident: $index:expr;)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            every_fault(&cases()[$index], &DELIVERIES, false).await;
        }
    )* };
}

replays! {
    a_chain_survives_every_fault: 0;
    a_diamond_with_large_results_survives_every_fault: 1;
    a_failure_is_committed_once_under_every_fault: 2;
    a_kept_failure_and_a_condition_survive_every_fault: 3;
    a_retry_survives_every_fault: 4;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_messages_are_lost_survives_every_fault_of_the_sweep() {
    every_fault(&cases()[0], &[Delivery::Lost(1)], true).await;
}
