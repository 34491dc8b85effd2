//! The promises of the engine under failure and interference at once: a graph with every type of step that this
//! version executes, whose run people pause, resume, stop, answer and retry at random points, while every storage
//! and queue call, of the workers and of the requests, fails before and after its effect, as an error and as a
//! crash, under every way of delivering messages. And that these tests find a bug when there is one.
//!
//! What people do is drawn anew for each way of delivery; `REPLAY_SEEDS=20` plays so many stories of each, and more
//! than one also lets each call fail in all four ways.

use std::collections::BTreeSet;

use it::{
    Answer, Client, Fault, Faults, Planted, call, for_each, graph, human, lua, lua_after, repeat, with,
};
use serde_json::{Value, json};
use shared::AppState;
use shared::types::clock::Timestamp;
use shared::worker::Message;
use tokio::time::Instant;

use crate::promises::{Kept, ensure, history};
use crate::world::{DELIVERIES, Delivery, World};

/// What people do to a run before they let it come to its end.
const ACTS: usize = 5;
/// Minutes in which a run comes to its end.
const MOST_MINUTES: usize = 60;
/// Those who interfere, where workers are at work at the same time.
const PEOPLE: &str = "people";

/// Every type of step; what comes of it does not depend on what happens on the way.
fn everything(asks: &str, tells: &str) -> Value {
    let square = lua("square", "if item == 2 then error('two is bad') end return { n = item * item }");
    let squares = with(
        for_each("each", &json!([1, 2, 3]), &[square]),
        &json!({ "depends_on": ["a"], "for_each_error_policy": "human_review", "for_each_max_parallel": 2 }),
    );
    let count = lua("count", "return { n = (loop.prev.count and loop.prev.count.n or 0) + 1 }");
    let counts =
        with(repeat("loop", 5, "{{ body.count.n }} >= 3", &[count]), &json!({ "depends_on": ["a"] }));
    let end = lua_after(
        "end",
        &["ask", "each", "loop", "call", "tell"],
        "return { each = steps.each.result.succeeded_count, failed = steps.each.result.failed_count,
                  loop = steps.loop.result.iteration_count, child = steps.call.result.output.after.n,
                  told = steps.tell.result.child_run_id ~= nil, asked = steps.ask.result.approved ~= nil }",
    );
    graph([
        lua("a", "print('hello') return { n = 1 }"),
        human("ask", &["a"]),
        squares,
        counts,
        with(
            call("call", &["a"], asks, &json!({ "n": "{{ steps.a.result.n }}" })),
            &json!({
                "timeout_s": 86_400,
            }),
        ),
        with(call("tell", &["a"], tells, &json!({})), &json!({ "wait": false })),
        // With a condition, so that a person's no does not skip it.
        with(end, &json!({ "condition": "{{ steps.a.result.n }}" })),
    ])
}

fn child() -> Value {
    graph([
        lua("before", "return { n = input.n + 1 }"),
        human("sure", &["before"]),
        with(
            lua_after("after", &["sure"], "return { n = steps.before.result.n + 1 }"),
            &json!({ "condition": "{{ steps.before.result.n }}" }),
        ),
    ])
}

/// A world with this graph and the workflows that it calls.
pub async fn world(delivery: Delivery, bug: Option<Planted>) -> World {
    let mut world = World::new(delivery, bug, &child()).await;
    let tells = world.acme.publish(&graph([lua("told", "return {}")])).await;
    world.child = std::mem::take(&mut world.workflow);
    world.workflow = world.acme.publish(&everything(&world.child, &tells)).await;
    world
}

/// Random choices that are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % sides
    }
}

/// One story: a run, what people do to it, and somebody who follows its events.
pub struct Play<'a> {
    world: &'a World,
    faults: &'a Faults,
    process: AppState,
    /// Reaches the process that may die; whoever gets no answer from it asks a healthy one.
    faulty: Client,
    healthy: Client,
    dice: Dice,
    acts_left: usize,
    /// Every event, as somebody saw it who asked for what came after the last one.
    seen: Vec<Value>,
    began: Timestamp,
}

impl<'a> Play<'a> {
    pub fn new(world: &'a World, faults: &'a Faults, seed: u64, acts: usize) -> Self {
        let process = world.process(faults);
        let client = |faults: &Faults| {
            Client::new(local::router(world.process_of(PEOPLE, faults))).bearer(&world.acme.token)
        };
        Self {
            world,
            faults,
            faulty: client(faults),
            healthy: client(&Faults::default()),
            process,
            dice: Dice(seed),
            acts_left: acts,
            seen: Vec::new(),
            began: world.clock.now(),
        }
    }

    async fn play(&mut self) -> Kept {
        self.world.start(self.faults).await;
        self.go_on().await
    }

    /// From where the run stands to where nothing is left of it, and whether the promises were kept.
    pub async fn go_on(&mut self) -> Kept {
        for _ in 0..MOST_MINUTES {
            for body in self.world.messages().await {
                self.deliver(&body).await?;
            }
            self.follow().await?;
            if self.acts_left > 0 {
                self.act().await?;
            } else if self.is_over().await {
                return self.check().await;
            } else {
                self.let_it_end().await?;
            }
            self.world.pass(&self.process).await;
        }
        Err(format!("the run does not end: {:#}", self.world.run().await))
    }

    /// Hands a message to workers; now and then somebody interferes, just before or at the same time.
    async fn deliver(&mut self, body: &str) -> Kept {
        let (world, process, faults) = (self.world, self.process.clone(), self.faults);
        if self.acts_left == 0 || self.dice.roll(3) > 0 {
            world.deliver(body, &process, faults).await;
            return Ok(());
        }
        if world.delivery == Delivery::AtOnce {
            let people = world.turns.join(PEOPLE);
            let acting = async {
                let acted = self.act().await;
                drop(people);
                acted
            };
            // The workers first, so that nobody begins before all take part.
            return tokio::join!(biased; world.deliver(body, &process, faults), acting).1;
        }
        self.act().await?;
        world.deliver(body, &process, faults).await;
        Ok(())
    }

    fn path(&self, below: &str) -> String {
        format!("/v1/workflows/{}/runs/{}{below}", self.world.workflow, self.world.run_id)
    }

    async fn get(&self, path: &str) -> Value {
        self.healthy.get(path).await.expect(200)
    }

    /// Asks, and asks again where there was no answer.
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        let answer = self.faulty.post(path, body).await;
        if answer.status.is_server_error() { self.healthy.post(path, body).await } else { answer }
    }

    async fn act(&mut self) -> Kept {
        self.acts_left -= 1;
        match self.dice.roll(12) {
            0..=2 => self.command("pause", None, &["paused"]).await,
            3 | 4 => self.command("resume", None, &["running", "completed", "failed"]).await,
            5 => self.command("stop", None, &["stopped"]).await,
            6 => self.command("stop", Some("graceful"), &["draining", "stopped"]).await,
            7 | 8 => self.answer_one().await,
            9 | 10 => self.retry(&json!({})).await,
            _ => {
                let from = ["a", "each", "call", "end"][self.dice.roll(4)];
                self.retry(&json!({ "from_step_id": from })).await
            }
        }
    }

    pub async fn command(&self, command: &str, mode: Option<&str>, reached: &[&str]) -> Kept {
        let mut params = json!({ "run_id": self.world.run_id });
        if let Some(mode) = mode {
            params["mode"] = json!(mode);
        }
        let path = format!("/v1/workflows/{}/command", self.world.workflow);
        let answer = self.ask(&path, &json!({ "command": command, "params": params })).await;
        let told = || format!("{command} {mode:?}: {} {:#}", answer.status, answer.body);
        match answer.status.as_u16() {
            200 => {
                let status = answer.body["status"].as_str().unwrap_or_default();
                ensure(reached.contains(&status), told)?;
                let events = self.events(&self.path("")).await;
                let stands = events.iter().any(|event| event["data"]["to"] == status);
                ensure(stands, || format!("{}: what was acknowledged does not stand", told()))
            }
            409 => ensure(answer.body["code"] == "RUN_STATE", told),
            _ => Err(told()),
        }
    }

    async fn retry(&self, body: &Value) -> Kept {
        let answer = self.ask(&self.path("/retry"), body).await;
        let allowed = [200, 409, 422].contains(&answer.status.as_u16());
        ensure(allowed, || format!("retry {body}: {} {:#}", answer.status, answer.body))
    }

    /// The open questions of this run and its children.
    async fn inbox(&self) -> Vec<Value> {
        let inbox = self.get("/v1/tasks/pending?limit=100").await;
        inbox["tasks"].as_array().cloned().unwrap_or_default()
    }

    async fn answer_one(&mut self) -> Kept {
        let tasks = self.inbox().await;
        let (pick, approved) = (self.dice.roll(tasks.len().max(1)), self.dice.roll(2) == 0);
        match tasks.get(pick) {
            Some(task) => self.answer(task, approved).await,
            None => Ok(()),
        }
    }

    async fn answer(&self, task: &Value, approved: bool) -> Kept {
        let text = |key: &str| task[key].as_str().unwrap_or_default();
        let run = format!("/v1/workflows/{}/runs/{}", text("workflow_id"), text("run_id"));
        let path = format!("{run}/tasks/{}/complete", text("id"));
        let answer = self.ask(&path, &json!({ "approved": approved })).await;
        let told = || format!("answer {}: {} {:#}", text("id"), answer.status, answer.body);
        if answer.status.as_u16() == 409 {
            return ensure(answer.body["code"] == "TASK_CLOSED", told);
        }
        ensure(answer.status.as_u16() == 200, told)?;
        let answered = |event: &&Value| {
            event["event_type"] == "human_task_completed" && event["data"]["task_id"] == task["id"]
        };
        let events = self.events(&run).await;
        let stands = events.iter().rfind(answered).is_some_and(|event| event["data"]["approved"] == approved);
        ensure(stands, || format!("{}: an acknowledged answer does not stand", told()))
    }

    /// What somebody does who wants the run to come to its end.
    async fn let_it_end(&self) -> Kept {
        if self.world.run().await["status"] == "paused" {
            return self.command("resume", None, &["running", "completed", "failed"]).await;
        }
        for task in self.inbox().await {
            // An item that always fails is not to be tried for ever.
            self.answer(&task, task["task_type"] != "item_review").await?;
        }
        Ok(())
    }

    async fn events(&self, run: &str) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let after = events.len();
            let page = self.get(&format!("{run}/events?limit=100&after={after}")).await;
            events.extend(page["events"].as_array().cloned().unwrap_or_default());
            if page["next_cursor"].is_null() {
                return events;
            }
        }
    }

    /// Asks for what came after the last event that was seen.
    async fn follow(&mut self) -> Kept {
        loop {
            let after = self.seen.last().map_or(0, |event| event["seq"].as_u64().unwrap_or(0));
            let page = self.get(&self.path(&format!("/events?limit=100&after={after}"))).await;
            self.seen.extend(page["events"].as_array().cloned().unwrap_or_default());
            if page["next_cursor"].is_null() {
                return history(&self.seen);
            }
        }
    }

    /// This run's and its children's, as lists show them.
    pub async fn runs(&self) -> Vec<Value> {
        let runs = self.get(&format!("/v1/runs?limit=100&since={}", self.began)).await;
        runs["runs"].as_array().cloned().unwrap_or_default()
    }

    async fn is_over(&self) -> bool {
        self.runs().await.iter().all(|run| run["ended_at"].is_string())
    }

    async fn check(&mut self) -> Kept {
        let run = self.world.run().await;
        let status = run["status"].as_str().unwrap_or_default();
        ensure(["completed", "stopped"].contains(&status), || format!("no step fails: {run:#}"))?;
        if status == "completed" {
            let result = &run["outputs"]["end"];
            let expected =
                json!({ "each": 2, "failed": 1, "loop": 3, "child": 3, "told": true, "asked": true });
            ensure(*result == expected, || format!("the wrong result: {run:#}"))?;
        }
        let calls = self.calls();
        let runs = self.runs().await;
        ensure(runs.len() <= calls + 1, || format!("{calls} calls made {} runs", runs.len() - 1))?;
        for of in &runs {
            let id = of["run_id"].as_str().unwrap_or_default();
            let events = self
                .events(&format!(
                    "/v1/workflows/{}/runs/{id}",
                    of["workflow_id"].as_str().unwrap_or_default()
                ))
                .await;
            history(&events)?;
            let revisions = self.world.commits.of(id);
            let one_by_one =
                !revisions.is_empty() && revisions.iter().copied().eq(1..=revisions.len() as u64);
            ensure(one_by_one, || format!("run {id}: a state was followed by two others: {revisions:?}"))?;
        }
        self.nothing_is_left().await
    }

    /// How often the run has called others.
    fn calls(&self) -> usize {
        let is_call = |event: &&Value| {
            let of_call = event["step_id"] == "call" || event["step_id"] == "tell";
            event["event_type"] == "step_started" && of_call
        };
        let calls = self.seen.iter().filter(is_call);
        calls
            .map(|event| format!("{} {}", event["step_id"], event["data"]["attempt"]))
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// Nobody is asked, nothing is due, and what comes late changes nothing.
    async fn nothing_is_left(&mut self) -> Kept {
        let inbox = self.inbox().await;
        ensure(inbox.is_empty(), || format!("questions are left: {inbox:#?}"))?;
        let healthy = self.world.healthy_process();
        let key = json!({ "tenant_id": "acme", "project_id": "default", "run_id": self.world.run_id });
        let late = Message { id: "late".to_owned(), body: key.to_string(), receive_count: 2 };
        let far = Instant::now() + std::time::Duration::from_secs(3600);
        shared::worker::handle(&healthy, [late], far).await;
        let before = self.seen.len();
        self.follow().await?;
        ensure(self.seen.len() == before, || "a late message changes a run that is over".to_owned())?;
        let due = shared::worker::sweep(&healthy, Timestamp::from_millis(999_999_999_999_999)).await;
        ensure(matches!(due, Ok(0)), || format!("something is due although all is over: {due:?}"))
    }
}

fn seeds() -> u64 {
    std::env::var("REPLAY_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

async fn story(world: &mut World, faults: &Faults, seed: u64) -> Kept {
    world.next_scenario();
    world.turns.begin(seed);
    let kept = Play::new(world, faults, seed, ACTS).play().await;
    kept.map_err(|why| format!("{why}\n(the order of calls: {:?})", world.turns.taken()))
}

/// Each call of each story fails; `Err` says what came of it.
async fn every_fault(delivery: Delivery, bug: Option<Planted>) -> Kept {
    let place = DELIVERIES.iter().position(|of| *of == delivery).unwrap_or(0);
    for seed in 0..seeds() {
        let seed = seed * DELIVERIES.len() as u64 + place as u64;
        let mut world = world(delivery, bug).await;
        world.sweep_may_fail = seed % 2 == 1;
        let none = Faults::default();
        story(&mut world, &none, seed).await.map_err(|why| format!("seed {seed}, no fault: {why}"))?;
        let calls = none.calls();
        for at in 0..calls {
            let ways = if seeds() > 1 { Fault::ways() } else { Fault::ways_of(at) };
            for fault in ways {
                let told = story(&mut world, &Faults::at(at, fault), seed).await;
                told.map_err(|why| format!("seed {seed}, call {at} of {calls}, {fault:?}: {why}"))?;
            }
        }
    }
    Ok(())
}

macro_rules! replays {
    ($($name:ident: $delivery:expr;)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Err(broken) = every_fault($delivery, None).await {
                panic!("{broken}");
            }
        }
    )* };
}

replays! {
    everything_and_everybody_with_messages_that_come_once: Delivery::Once;
    everything_and_everybody_with_messages_that_come_twice: Delivery::Twice;
    everything_and_everybody_with_messages_that_come_at_once: Delivery::AtOnce;
    everything_and_everybody_with_messages_in_reverse: Delivery::Reversed;
    everything_and_everybody_with_a_lost_message: Delivery::Lost(1);
    everything_and_everybody_with_lost_messages: Delivery::Lost(3);
}

/// What races comes out the same when it is told again, in another world; and another seed tells another story.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_of_workers_at_once_follows_from_its_seed() {
    let told = async |seed: u64| {
        let mut world = world(Delivery::AtOnce, None).await;
        let faults = Faults::default();
        story(&mut world, &faults, seed).await.unwrap();
        assert_eq!(world.turns.out_of_turn(), 0, "seed {seed}");
        (world.turns.taken(), faults.calls())
    };
    let mut orders = BTreeSet::new();
    for seed in 0..4 {
        let first = told(seed).await;
        assert!(first.0.len() > 20, "{first:?}");
        for _ in 0..3 {
            let again = told(seed).await;
            let differs = first.0.iter().zip(&again.0).position(|(one, other)| one != other);
            assert_eq!((&first, differs), (&again, None), "seed {seed}");
        }
        orders.insert(first.0);
    }
    assert_eq!(orders.len(), 4);
}

/// The first promise that is found broken, under any way of delivery.
async fn found(bug: Planted) -> Option<String> {
    for delivery in [Delivery::AtOnce, Delivery::Once, Delivery::Twice] {
        if let Err(broken) = every_fault(delivery, Some(bug)).await {
            return Some(broken);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_bug_is_found() {
    for bug in [Planted::ReplacesAnyRevision, Planted::StartsOverAnother] {
        let found =
            found(bug).await.unwrap_or_else(|| panic!("{bug:?} breaks a promise, and nobody noticed"));
        println!("{bug:?} was found: {}", found.lines().next().unwrap_or_default());
    }
}
