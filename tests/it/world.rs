//! The world in which runs are replayed under failure: a published workflow, a clock that stands still, processes
//! that may die, and messages that come once, twice, at the same time, in reverse, or not at all for a while.

use std::cell::Cell;
use std::time::Duration;

use it::{Client, Commits, Faults, Interceptor, Planted, TestApp, Workspace};
use serde_json::{Value, json};
use shared::AppState;
use shared::types::clock::{Clock, Timestamp};
use shared::worker::Message;
use tokio::time::Instant;

/// How messages reach workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delivery {
    /// Each once, in order.
    Once,
    /// Each twice, one after the other; the second as a redelivery.
    Twice,
    /// Each twice, at the same time.
    AtOnce,
    /// The newest first.
    Reversed,
    /// The first ones are lost; only the sweep brings others.
    Lost(usize),
}

pub const DELIVERIES: [Delivery; 6] = [
    Delivery::Once,
    Delivery::Twice,
    Delivery::AtOnce,
    Delivery::Reversed,
    Delivery::Lost(1),
    Delivery::Lost(3),
];

/// The world of one scenario after another: a published workflow, a clock that stands still, processes that may
/// die.
pub struct World {
    pub app: TestApp,
    pub acme: Workspace,
    pub workflow: String,
    /// The workflow that it calls and waits for, if any.
    pub child: String,
    pub clock: Clock,
    pub delivery: Delivery,
    /// The run of this scenario.
    pub run_id: String,
    lost: Cell<usize>,
    /// What its processes do wrong.
    bug: Option<Planted>,
    /// Whether the process that may die sweeps, too.
    pub sweep_may_fail: bool,
    /// What all processes wrote.
    pub commits: Commits,
    /// How many scenarios there were.
    pub scenarios: u64,
}

impl World {
    pub async fn new(delivery: Delivery, bug: Option<Planted>, graph: &Value) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        Self::of(TestApp::without_worker(clock).await, delivery, bug, graph).await
    }

    /// The same in which nothing starts without credits, which the caller grants.
    pub async fn metered(delivery: Delivery, graph: &Value) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        Self::of(TestApp::metered(clock).await, delivery, None, graph).await
    }

    async fn of(app: TestApp, delivery: Delivery, bug: Option<Planted>, graph: &Value) -> Self {
        let clock = app.state.clock.clone();
        let acme = app.workspace("acme").await;
        let workflow = acme.publish(graph).await;
        Self {
            app,
            acme,
            workflow,
            child: String::new(),
            clock,
            delivery,
            run_id: String::new(),
            lost: Cell::new(0),
            bug,
            sweep_may_fail: false,
            commits: Commits::default(),
            scenarios: 0,
        }
    }

    pub fn next_scenario(&mut self) {
        // So that what an earlier run has started can be told from what this one does.
        self.clock.advance(Duration::from_secs(1));
        self.run_id = shared::types::ids::RunId::new(self.clock.now()).to_string();
        self.lost.set(0);
        self.scenarios += 1;
    }

    pub fn process(&self, faults: &Faults) -> AppState {
        let interceptors = self.interceptors(faults.interceptor());
        self.app.stores.faulty_state_with(self.clock.clone(), faults, &interceptors)
    }

    /// A process whose calls are looked at or held up.
    pub fn process_with(&self, interceptor: Interceptor) -> AppState {
        self.app.stores.state(self.clock.clone(), &self.interceptors(interceptor))
    }

    fn interceptors(&self, interceptor: Interceptor) -> Vec<Interceptor> {
        // In this order: what took effect is noted before its answer is lost.
        let mut interceptors = vec![self.commits.interceptor(), interceptor];
        interceptors.extend(self.bug.map(Planted::interceptor));
        interceptors
    }

    pub fn healthy_process(&self) -> AppState {
        self.process(&Faults::default())
    }

    /// A client starts the run and, as clients do, asks again with the same id until it is told that it did.
    pub async fn start(&self, faults: &Faults) {
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

    pub async fn run(&self) -> Value {
        let path = format!("/v1/workflows/{}/runs/{}", self.workflow, self.run_id);
        self.acme.client.get(&path).await.expect(200)
    }

    /// Takes what is in the queue.
    pub async fn messages(&self) -> Vec<String> {
        let mut bodies = self.app.take_messages().await;
        match self.delivery {
            Delivery::Reversed => bodies.reverse(),
            Delivery::Lost(most) => {
                let now = bodies.len().min(most - self.lost.get().min(most));
                self.lost.set(self.lost.get() + now);
                bodies.drain(..now);
            }
            Delivery::Once | Delivery::Twice | Delivery::AtOnce => {}
        }
        bodies
    }

    /// Hands a message to workers: the one that may die, and after it healthy ones, as often as a queue would.
    pub async fn deliver(&self, body: &str, faulty: &AppState, faults: &Faults) {
        let far = Instant::now() + Duration::from_secs(3600);
        let message = |receive_count| Message { id: "m".to_owned(), body: body.to_owned(), receive_count };
        let healthy = || self.healthy_process();
        let state = || if faults.is_dead() { healthy() } else { faulty.clone() };
        match self.delivery {
            Delivery::AtOnce => {
                let (one, other) = (state(), healthy());
                tokio::join!(
                    shared::worker::handle(&one, [message(1)], far),
                    shared::worker::handle(&other, [message(2)], far),
                );
            }
            Delivery::Twice => {
                shared::worker::handle(&state(), [message(1)], far).await;
                shared::worker::handle(&state(), [message(2)], far).await;
            }
            Delivery::Once | Delivery::Reversed | Delivery::Lost(_) => {
                for count in 1..=3 {
                    if shared::worker::handle(&state(), [message(count)], far).await.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Lets a minute pass and the sweep tick.
    pub async fn pass(&self, faulty: &AppState) {
        self.clock.advance(Duration::from_secs(61));
        // Where the sweep may be hit by the fault too, the next one goes on.
        if !self.sweep_may_fail || shared::worker::sweep(faulty, faulty.clock.now()).await.is_err() {
            let healthy = self.healthy_process();
            shared::worker::sweep(&healthy, healthy.clock.now()).await.unwrap();
        }
    }

    /// Lets time pass, messages come and the sweep tick until the run is over.
    pub async fn until_over(&self, faults: &Faults) -> Value {
        let faulty = self.process(faults);
        for _ in 0..12 {
            for body in self.messages().await {
                self.deliver(&body, &faulty, faults).await;
            }
            let run = self.run().await;
            if run["ended_at"].is_string() {
                return run;
            }
            self.pass(&faulty).await;
        }
        panic!("the run does not end: {:#}", self.run().await);
    }
}
