//! Triggers under failure, by enumeration: every call of a sweep that fires one fails before and after its effect,
//! as an error and as a crash of its process. Whatever happens, each due time starts one run, and the trigger
//! says so.

use std::time::Duration;

use it::{Client, Fault, Faults, graph, lua};
use serde_json::{Value, json};
use shared::types::clock::Timestamp;

use crate::run_reads::text;
use crate::trigger_runs::{World, at};

/// One scenario after the other in one world, each on a day of its own.
struct Days {
    world: World,
    midnight: Timestamp,
}

impl Days {
    async fn new() -> Self {
        let midnight = "2026-09-21T00:00:00Z";
        let world = World::new(midnight, json!({ "cron": "0 0 1 1 *" })).await;
        Self { world, midnight: at(midnight) }
    }

    /// This day at that time.
    fn at(&self, hours: u64, minutes: u64, seconds: u64) -> Timestamp {
        self.midnight.plus(Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
    }

    fn set_clock(&self, time: Timestamp) {
        self.world.clock.advance(time.since(self.world.clock.now()));
    }

    /// The next day begins with a new workflow and its trigger; the one before has none any more.
    async fn next(&mut self, trigger: &Value) {
        let acme = &self.world.acme;
        acme.client.delete(&self.world.path()).await.expect(204);
        self.midnight = self.at(24, 0, 0);
        self.set_clock(self.at(8, 59, 30));
        self.world.workflow = acme.publish(&graph([lua("a", "return { input = input }")])).await;
        let path = format!("/v1/workflows/{}/triggers", self.world.workflow);
        self.world.trigger = text(&acme.client.post(&path, trigger).await.expect(201), "id").to_owned();
    }

    /// Sweeps with a process whose call of this number fails, then with healthy ones.
    async fn under_fault(&mut self, catch_up: &str, call: usize, fault: Option<Fault>) -> usize {
        let what = format!("{catch_up} / call {call} / {fault:?}");
        // A large input is kept by a transaction with rows of its own.
        let params = json!({ "pad": "x".repeat(if call.is_multiple_of(2) { 10 } else { 4_000 }) });
        self.next(&json!({ "cron": "0 * * * *", "catch_up": catch_up, "params": params })).await;
        let (late, due) = match catch_up {
            "none" => (self.at(9, 0, 10), self.at(9, 0, 0)),
            _ => (self.at(11, 30, 0), self.at(11, 0, 0)),
        };
        self.set_clock(late);
        let world = &self.world;
        let faults = fault.map_or_else(Faults::default, |fault| Faults::at(call, fault));
        let faulty = world.process(&faults);
        let swept = shared::worker::sweep(&faulty, faulty.clock.now()).await;
        assert!(fault.is_some() || swept.is_ok(), "{what}");
        let calls = faults.calls();
        // The process sweeps again, if it lives, and then others do.
        world.clock.advance(Duration::from_secs(60));
        let _ = shared::worker::sweep(&faulty, faulty.clock.now()).await;
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(60));
            shared::worker::sweep(&world.app.state, world.clock.now()).await.unwrap();
        }
        let run = world.run_of(&due.to_string());
        assert_eq!(world.runs().await, [run.as_str()], "{what}");
        let trigger = world.trigger().await;
        assert_eq!(trigger["last_run_id"], run, "{what}: {trigger:#}");
        assert_eq!(trigger["last_error"], Value::Null, "{what}: {trigger:#}");
        assert_eq!(trigger["next_run_at"], due.plus(Duration::from_secs(3600)).to_string(), "{what}");
        // Nothing accepted is lost: the run ends, although its message may have been lost.
        world.clock.advance(Duration::from_secs(61));
        shared::worker::sweep(&world.app.state, world.clock.now()).await.unwrap();
        world.app.work().await;
        let run = world.acme.finished(&world.workflow, &run).await;
        assert_eq!(run["status"], "completed", "{what}: {run:#}");
        let settled = |event: &&Value| event["event_type"] == "step_completed";
        assert_eq!(world.acme.events(&run).await.iter().filter(settled).count(), 1, "{what}");
        calls
    }
}

async fn every_fault(catch_up: &str) {
    let mut days = Days::new().await;
    let calls = days.under_fault(catch_up, 0, None).await;
    assert!(calls >= 8 + 5, "{calls} calls: the shards, and a start");
    // A few more: a large input, and the sweep after it.
    for call in 0..calls + 4 {
        for fault in Fault::ways() {
            days.under_fault(catch_up, call, Some(fault)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_time_starts_one_run_under_every_fault_of_the_sweep() {
    every_fault("none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_due_time_is_made_up_for_once_under_every_fault_of_the_sweep() {
    every_fault("latest").await;
}

#[tokio::test]
async fn changes_are_kept_once_under_every_fault() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    let list = format!("/v1/workflows/{}/triggers", world.workflow);
    let count = async || world.acme.client.get(&list).await.expect(200)["triggers"].as_array().unwrap().len();
    for call in 0..6 {
        for fault in Fault::ways() {
            let faults = Faults::at(call, fault);
            let client = Client::new(local::router(world.process(&faults))).bearer(&world.acme.token);
            let before = count().await;
            let made = client.post(&list, &json!({ "cron": "0 9 * * *" })).await;
            let there = count().await;
            if made.status == 201 {
                assert_eq!(there, before + 1, "{call} {fault:?}");
            } else {
                assert!(there - before <= 1, "{call} {fault:?}");
            }
        }
    }
    // Whatever was made can be deleted, and then there is room for a hundred again.
    loop {
        let page = world.acme.client.get(&list).await.expect(200);
        let Some(one) = page["triggers"].as_array().unwrap().first() else { break };
        world.acme.client.delete(&format!("{list}/{}", text(one, "id"))).await.expect(204);
    }
    for _ in 0..100 {
        world.acme.client.post(&list, &json!({ "cron": "0 9 * * *" })).await.expect(201);
    }
    world.acme.client.post(&list, &json!({ "cron": "0 9 * * *" })).await.refused(422, "INVALID_REQUEST");
}
