//! The world in which runs are replayed under failure: a published workflow, a clock that stands still, processes
//! that may die, and messages that come once, twice, at the same time, in reverse, or not at all for a while.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use it::{Client, Commits, Faults, Interceptor, Planted, TestApp, Turns, Workspace};
use serde_json::{Value, json};
use shared::AppState;
use shared::types::clock::{Clock, Timestamp};
use shared::worker::Message;
use tokio::time::Instant;

/// Who acts at the same time: two workers.
const ONE: &str = "one";
const OTHER: &str = "other";

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
    /// The runs of this scenario, in the order in which messages named them first.
    known: RefCell<Vec<String>>,
    /// What its processes do wrong.
    bug: Option<Planted>,
    /// Whether the process that may die sweeps, too.
    pub sweep_may_fail: bool,
    /// What all processes wrote.
    pub commits: Commits,
    /// The order in which those who act at the same time make their calls.
    pub turns: Turns,
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

    async fn of(mut app: TestApp, delivery: Delivery, bug: Option<Planted>, graph: &Value) -> Self {
        if delivery == Delivery::AtOnce {
            // How many scripts of one worker have ended by its next commit is nobody's to decide.
            app.stores.script_parallelism = 1;
        }
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
            known: RefCell::default(),
            bug,
            sweep_may_fail: false,
            commits: Commits::default(),
            turns: Turns::default(),
            scenarios: 0,
        }
    }

    pub fn next_scenario(&mut self) {
        // So that what an earlier run has started can be told from what this one does.
        self.clock.advance(Duration::from_secs(1));
        self.lost.set(0);
        self.known.borrow_mut().clear();
        self.scenarios += 1;
        // Nothing of it is random, so that what has no other order than its id's has the same one each time.
        let of_now = shared::types::ids::RunId::new(self.clock.now()).to_string();
        self.run_id = format!("{}-7000-8000-{:012x}", &of_now[..13], self.scenarios);
        self.turns.begin(self.scenarios);
    }

    pub fn process(&self, faults: &Faults) -> AppState {
        self.process_of(ONE, faults)
    }

    /// A process of this one's; whoever else acts at the same time has another name.
    pub fn process_of(&self, who: &'static str, faults: &Faults) -> AppState {
        let interceptors =
            [vec![self.turns.interceptor(who)], self.interceptors(faults.interceptor())].concat();
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
            Delivery::AtOnce => self.by_first_mention(&mut bodies),
            Delivery::Once | Delivery::Twice => {}
        }
        bodies
    }

    /// A sweep sends what is due in many shards at once, in any order. Here messages come in the order in which workers
    /// first sent one about their runs.
    fn by_first_mention(&self, bodies: &mut [String]) {
        let run = |body: &String| {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            body["run_id"].as_str().unwrap_or_default().to_owned()
        };
        let mut known = self.known.borrow_mut();
        for run in bodies.iter().map(run) {
            if !known.contains(&run) {
                known.push(run);
            }
        }
        bodies.sort_by_key(|body| (known.iter().position(|known| *known == run(body)), body.clone()));
    }

    /// Hands a message to workers: the one that may die, and after it healthy ones, as often as a queue would.
    pub async fn deliver(&self, body: &str, faulty: &AppState, faults: &Faults) {
        let far = Instant::now() + Duration::from_secs(3600);
        let message = |receive_count| Message { id: "m".to_owned(), body: body.to_owned(), receive_count };
        let healthy = || self.healthy_process();
        let state = || if faults.is_dead() { healthy() } else { faulty.clone() };
        match self.delivery {
            Delivery::AtOnce => {
                let workers = [(ONE, state()), (OTHER, self.process_of(OTHER, &Faults::default()))];
                let parts = workers.map(|(who, state)| (self.turns.join(who), state));
                let mut counts = 1..;
                // Each on a thread of its own, since it holds one up while it waits for its turn.
                let working = parts.map(|(part, state)| {
                    let message = message(counts.next().unwrap_or(1));
                    tokio::spawn(async move {
                        shared::worker::handle(&state, [message], far).await;
                        drop(part);
                    })
                });
                for worker in working {
                    worker.await.expect("a worker panics");
                }
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
