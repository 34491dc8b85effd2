//! What triggers start: each due time one run, whatever fails, however often and however late the sweep comes.

use std::time::Duration;

use it::{Answer, Faults, TestApp, Workspace, graph, lua};
use serde_json::{Value, json};
use shared::AppState;
use shared::store::{DEADLINE_SHARDS, Due};
use shared::types::clock::{Clock, Timestamp};
use shared::types::ids::RunId;

use crate::run_reads::text;

pub(crate) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// An app whose clock can be set, a workspace with a workflow, and its trigger.
pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) clock: Clock,
    pub(crate) acme: Workspace,
    pub(crate) workflow: String,
    pub(crate) trigger: String,
}

impl World {
    /// Nothing is published yet.
    async fn draft(now: &str, graph: &Value, trigger: Value) -> Self {
        let clock = Clock::manual(at(now));
        let app = TestApp::without_worker(clock.clone()).await;
        let acme = app.workspace("acme").await;
        let workflow = acme.create(graph).await;
        let made =
            acme.client.post(&format!("/v1/workflows/{workflow}/triggers"), &trigger).await.expect(201);
        let trigger = text(&made, "id").to_owned();
        Self { app, clock, acme, workflow, trigger }
    }

    pub(crate) async fn new(now: &str, trigger: Value) -> Self {
        let world = Self::draft(now, &graph([lua("a", "return { input = input }")]), trigger).await;
        world.publish().await;
        world
    }

    async fn publish(&self) {
        let path = format!("/v1/workflows/{}/versions", self.workflow);
        self.acme.client.post(&path, &json!({})).await.expect(201);
    }

    pub(crate) fn process(&self, faults: &Faults) -> AppState {
        self.app.stores.state(self.clock.clone(), &[faults.interceptor()])
    }

    /// Sets the clock and sweeps.
    async fn sweep_at(&self, time: &str) {
        self.clock.advance(at(time).since(self.clock.now()));
        assert_eq!(self.clock.now(), at(time), "clocks go forward");
        shared::worker::sweep(&self.app.state, self.clock.now()).await.unwrap();
    }

    pub(crate) fn path(&self) -> String {
        format!("/v1/workflows/{}/triggers/{}", self.workflow, self.trigger)
    }

    async fn patch(&self, change: Value) -> Answer {
        self.acme.client.patch(&self.path(), &change).await
    }

    pub(crate) async fn trigger(&self) -> Value {
        let path = format!("/v1/workflows/{}/triggers", self.workflow);
        let listed = self.acme.client.get(&path).await.expect(200);
        let found =
            listed["triggers"].as_array().unwrap().iter().find(|each| each["id"] == self.trigger.as_str());
        found.unwrap().clone()
    }

    /// The run that belongs to a due time.
    pub(crate) fn run_of(&self, due: &str) -> String {
        RunId::of_trigger(self.trigger.parse().unwrap(), at(due)).to_string()
    }

    /// The ids of all runs, in the order of their ids, which is that of their due times.
    pub(crate) async fn runs(&self) -> Vec<String> {
        let path = format!("/v1/workflows/{}/runs?limit=100", self.workflow);
        let listed = self.acme.client.get(&path).await.expect(200);
        let runs = listed["runs"].as_array().unwrap();
        let mut ids: Vec<String> = runs.iter().map(|run| text(run, "run_id").to_owned()).collect();
        ids.sort();
        ids
    }

    /// There is a run for each of these due times, and no other.
    #[track_caller]
    fn expect_runs(&self, dues: &[&str]) -> impl Future<Output = ()> {
        let expected: Vec<String> = dues.iter().map(|due| self.run_of(due)).collect();
        let caller = std::panic::Location::caller();
        async move { assert_eq!(self.runs().await, expected, "at {caller}") }
    }
}

#[tokio::test]
async fn a_due_time_starts_a_run_with_the_triggers_params() {
    let params = json!({ "trigger_payload": { "k": 1 }, "external_user_id": "u-1" });
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *", "params": params })).await;
    world.sweep_at("2026-09-21T09:00:00.000Z").await;
    world.sweep_at("2026-09-21T09:00:07.250Z").await;
    world.expect_runs(&["2026-09-21T09:00:00Z"]).await;
    world.app.work().await;
    let run = world.acme.finished(&world.workflow, &world.run_of("2026-09-21T09:00:00Z")).await;
    assert_eq!(
        (&run["status"], &run["trigger_type"], &run["external_user_id"], &run["outputs"]["a"]["input"]),
        (&json!("completed"), &json!("schedule"), &json!("u-1"), &json!({ "k": 1 })),
        "{run:#}"
    );
    let started = &world.acme.events(&run).await[0];
    assert_eq!(started["data"]["trigger_type"], "schedule", "{started:#}");
    let trigger = world.trigger().await;
    assert_eq!(trigger["last_run_id"], run["run_id"]);
    assert_eq!(trigger["last_run_at"], run["started_at"]);
    assert_eq!(trigger["last_error"], Value::Null);
    assert_eq!(trigger["next_run_at"], "2026-09-22T09:00:00.000Z");
    assert_eq!(trigger["updated_at"], trigger["created_at"], "nobody changed it");
    // The next day, and no sooner.
    world.sweep_at("2026-09-22T08:59:59.999Z").await;
    world.expect_runs(&["2026-09-21T09:00:00Z"]).await;
    world.sweep_at("2026-09-22T09:00:30Z").await;
    world.expect_runs(&["2026-09-21T09:00:00Z", "2026-09-22T09:00:00Z"]).await;
}

#[tokio::test]
async fn taking_up_everything_fires_nothing_before_its_time() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    let own = world.acme.start(&world.workflow, json!({})).await;
    // As the local process does when it starts: every deadline, passed or not.
    let every = Timestamp::from_millis(999_999_999_999_999);
    let moved = shared::worker::sweep(&world.app.state, every).await.unwrap();
    assert_eq!((moved, world.runs().await), (1, vec![own]));
    assert_eq!(world.trigger().await["next_run_at"], "2026-09-21T09:00:00.000Z");
}

/// The deadline index's shard of an id: FNV-1a.
fn shard(id: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    id.bytes().fold(0xcbf2_9ce4_8422_2325, step) % 8
}

#[tokio::test]
async fn a_start_of_the_process_wakes_each_run_once_however_many_there_are() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    // More than a page in one shard. What was woken stands behind the others, where it is met again.
    let ids = (0_u64..).map(|n| format!("11111111-2222-4333-8444-{n:012x}")).filter(|id| shard(id) == 3);
    for id in ids.take(250) {
        world.acme.start(&world.workflow, json!({ "run_id": id })).await;
    }
    let every = Timestamp::from_millis(999_999_999_999_999);
    assert_eq!(shared::worker::sweep(&world.app.state, every).await.unwrap(), 250);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweeps_at_the_same_time_start_one_run() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "* * * * *" })).await;
    let mut dues = Vec::new();
    for minute in 0..20 {
        dues.push(format!("2026-09-21T09:{minute:02}:00Z"));
        world.clock.advance(at(&dues[minute]).plus(Duration::from_secs(1)).since(world.clock.now()));
        let processes: Vec<AppState> = (0..4).map(|_| world.process(&Faults::default())).collect();
        let sweeps = processes.into_iter().map(|state| {
            tokio::spawn(async move { shared::worker::sweep(&state, state.clock.now()).await.map(|_| ()) })
        });
        for sweep in sweeps.collect::<Vec<_>>() {
            sweep.await.unwrap().unwrap();
        }
    }
    let dues: Vec<&str> = dues.iter().map(String::as_str).collect();
    world.expect_runs(&dues).await;
    assert_eq!(world.trigger().await["last_run_id"], world.run_of(dues[19]).as_str());
    world.app.work().await;
    for due in dues {
        let run = world.acme.finished(&world.workflow, &world.run_of(due)).await;
        assert_eq!(run["status"], "completed", "{due}: {run:#}");
    }
}

#[tokio::test]
async fn due_times_of_the_last_five_minutes_are_made_up_for() {
    for catch_up in ["none", "latest"] {
        let new = json!({ "cron": "*/2 * * * *", "catch_up": catch_up });
        let world = World::new("2026-09-21T08:59:30Z", new).await;
        world.sweep_at("2026-09-21T09:05:00Z").await;
        // 09:00 is exactly five minutes old.
        world.sweep_at("2026-09-21T09:05:00.001Z").await;
        world.expect_runs(&["2026-09-21T09:00:00Z", "2026-09-21T09:02:00Z", "2026-09-21T09:04:00Z"]).await;
        assert_eq!(world.trigger().await["next_run_at"], "2026-09-21T09:06:00.000Z");
    }
}

#[tokio::test]
async fn what_was_missed_for_hours_is_dropped_or_made_up_for_once() {
    for (catch_up, dues) in [("none", &[][..]), ("latest", &["2026-09-21T12:00:00Z"][..])] {
        let new = json!({ "cron": "0 * * * *", "catch_up": catch_up });
        let world = World::new("2026-09-21T08:59:30Z", new).await;
        for sweep in ["2026-09-21T12:30:00Z", "2026-09-21T12:31:00Z"] {
            world.sweep_at(sweep).await;
            world.expect_runs(dues).await;
        }
        let trigger = world.trigger().await;
        assert_eq!(trigger["next_run_at"], "2026-09-21T13:00:00.000Z");
        assert_eq!(trigger["last_error"], Value::Null);
        assert_eq!(trigger["last_run_id"].is_string(), catch_up == "latest");
        let dues = [dues, &["2026-09-21T13:00:00Z"]].concat();
        world.sweep_at("2026-09-21T13:00:30Z").await;
        world.expect_runs(&dues).await;
    }
}

#[tokio::test]
async fn a_year_without_sweeps_is_made_up_for_with_a_handful_of_calls() {
    for (catch_up, most, oldest) in [("none", 40, "08:56"), ("latest", 50, "08:55")] {
        let new = json!({ "cron": "* * * * *", "timezone": "Europe/Berlin", "catch_up": catch_up });
        let world = World::new("2025-09-21T08:59:30Z", new).await;
        world.clock.advance(at("2026-09-21T09:00:30Z").since(world.clock.now()));
        let calls = Faults::default();
        let process = world.process(&calls);
        shared::worker::sweep(&process, process.clock.now()).await.unwrap();
        // One query per shard; per run a workflow, a row, a message and the trigger's move.
        assert!(calls.calls() <= most, "{catch_up}: {} calls", calls.calls());
        let runs = world.runs().await;
        assert_eq!(runs[0], world.run_of(&format!("2026-09-21T{oldest}:00Z")), "{catch_up}");
        assert_eq!(runs.last().unwrap(), &world.run_of("2026-09-21T09:00:00Z"));
        assert_eq!(runs.len(), if catch_up == "none" { 5 } else { 6 });
        assert_eq!(world.trigger().await["next_run_at"], "2026-09-21T09:01:00.000Z");
    }
}

#[tokio::test]
async fn the_days_on_which_clocks_change_start_as_many_runs_as_any_other() {
    for (cron, eve, dues) in [
        // The clock goes from 02:00 to 03:00 on 29 March, and from 03:00 to 02:00 on 25 October.
        ("30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("30 */12 * * *", "2026-10-24T12:00:00Z", ["2026-10-24T22:30:00Z", "2026-10-25T11:30:00Z"]),
    ] {
        let world = World::new(eve, json!({ "cron": cron, "timezone": "Europe/Berlin" })).await;
        for (number, due) in dues.iter().enumerate() {
            let before = at(due).minus(Duration::from_millis(1)).to_string();
            let after = at(due).plus(Duration::from_secs(1)).to_string();
            // Every hour until then, as often as it may have been due.
            while world.clock.now().plus(Duration::from_secs(3600)) < at(due) {
                let next = world.clock.now().plus(Duration::from_secs(3600)).to_string();
                world.sweep_at(&next).await;
            }
            world.sweep_at(&before).await;
            world.expect_runs(&dues[..number]).await;
            world.sweep_at(&after).await;
            world.expect_runs(&dues[..=number]).await;
        }
    }
}

#[tokio::test]
async fn a_trigger_that_is_disabled_or_deleted_does_not_fire() {
    let world =
        World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 * * * *", "catch_up": "latest" })).await;
    world.patch(json!({ "enabled": false })).await.expect(200);
    world.sweep_at("2026-09-21T09:00:30Z").await;
    world.sweep_at("2026-09-21T10:30:00Z").await;
    world.patch(json!({ "enabled": true })).await.expect(200);
    world.sweep_at("2026-09-21T10:31:00Z").await;
    world.expect_runs(&[]).await;
    world.sweep_at("2026-09-21T11:00:30Z").await;
    world.expect_runs(&["2026-09-21T11:00:00Z"]).await;
    // Due, but deleted before the sweep came.
    world.clock.advance(Duration::from_secs(3600));
    world.acme.client.delete(&world.path()).await.expect(204);
    world.sweep_at("2026-09-21T12:01:00Z").await;
    world.expect_runs(&["2026-09-21T11:00:00Z"]).await;
}

#[tokio::test]
async fn an_archived_workflow_is_not_started_until_it_is_restored() {
    let world =
        World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 * * * *", "catch_up": "latest" })).await;
    let workflow = format!("/v1/workflows/{}", world.workflow);
    world.acme.client.delete(&workflow).await.expect(204);
    world.sweep_at("2026-09-21T09:00:30Z").await;
    world.expect_runs(&[]).await;
    let trigger = world.trigger().await;
    assert_eq!(trigger["last_error"]["code"], "WORKFLOW_ARCHIVED", "{trigger:#}");
    assert_eq!(trigger["next_run_at"], "2026-09-21T10:00:00.000Z");
    world.acme.client.post(&format!("{workflow}/restore"), &json!({})).await.expect(200);
    world.sweep_at("2026-09-21T09:30:00Z").await;
    world.expect_runs(&[]).await;
    world.sweep_at("2026-09-21T10:00:30Z").await;
    world.expect_runs(&["2026-09-21T10:00:00Z"]).await;
}

#[tokio::test]
async fn a_start_that_is_refused_is_told_and_the_next_due_time_comes() {
    let mut graph = graph([lua("a", "return { input = input }")]);
    graph["input_schema"] =
        json!({ "type": "object", "properties": { "n": { "type": "number" } }, "required": ["n"] });
    let trigger = json!({ "cron": "0 * * * *", "params": { "n": "one" } });
    let world = World::draft("2026-09-21T08:59:30Z", &graph, trigger).await;
    let refused = async |sweep: &str, code: &str, part: &str| {
        world.sweep_at(sweep).await;
        let trigger = world.trigger().await;
        let error = &trigger["last_error"];
        assert_eq!((&error["at"], &error["code"]), (&json!(sweep), &json!(code)), "{trigger:#}");
        assert!(text(error, "error").contains(part), "{trigger:#}");
    };
    refused("2026-09-21T09:00:30.000Z", "NOT_PUBLISHED", "no published version").await;
    world.publish().await;
    refused("2026-09-21T10:00:30.000Z", "INVALID_REQUEST", "input_schema").await;
    world.patch(json!({ "params": { "n": 1, "excluded_step_ids": ["b"] } })).await.expect(200);
    refused("2026-09-21T11:00:30.000Z", "INVALID_REQUEST", "no step \"b\"").await;
    world.patch(json!({ "params": { "n": 1, "version": 7 } })).await.expect(200);
    refused("2026-09-21T12:00:30.000Z", "INVALID_REQUEST", "no version 7").await;
    world.expect_runs(&[]).await;
    assert_eq!(world.trigger().await["last_run_id"], Value::Null);
    world.patch(json!({ "params": { "n": 1 } })).await.expect(200);
    world.sweep_at("2026-09-21T13:00:30.000Z").await;
    world.expect_runs(&["2026-09-21T13:00:00Z"]).await;
    let trigger = world.trigger().await;
    assert_eq!(trigger["last_error"]["at"], "2026-09-21T12:00:30.000Z", "the last one stays to be seen");
    assert_eq!(trigger["last_run_at"], "2026-09-21T13:00:30.000Z");
}

#[tokio::test]
async fn a_changed_trigger_goes_by_its_new_schedule() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 * * * *" })).await;
    // Due, and changed before the sweep came.
    world.clock.advance(Duration::from_secs(40));
    world.patch(json!({ "cron": "30 9 * * *" })).await.expect(200);
    world.sweep_at("2026-09-21T09:00:30Z").await;
    world.expect_runs(&[]).await;
    world.sweep_at("2026-09-21T09:30:30Z").await;
    world.sweep_at("2026-09-21T10:00:30Z").await;
    world.expect_runs(&["2026-09-21T09:30:00Z"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_at_the_moment_of_firing_is_kept_and_costs_no_due_time_twice() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 * * * *" })).await;
    let mut may = Vec::new();
    for round in 0..20 {
        let due = at("2026-09-21T09:00:00Z").plus(Duration::from_secs(3600 * round));
        world.clock.advance(due.plus(Duration::from_secs(1)).since(world.clock.now()));
        may.push(world.run_of(&due.to_string()));
        let (one, other) = (world.process(&Faults::default()), world.process(&Faults::default()));
        let change = json!({ "name": format!("r{round}"), "cron": format!("0,{} * * * *", 30 + round) });
        let sweep = |state: AppState| {
            tokio::spawn(async move { shared::worker::sweep(&state, state.clock.now()).await.map(|_| ()) })
        };
        let (one, changed, other) = tokio::join!(sweep(one), world.patch(change.clone()), sweep(other));
        one.unwrap().unwrap();
        other.unwrap().unwrap();
        changed.expect(200);
        let trigger = world.trigger().await;
        assert_eq!((&trigger["name"], &trigger["cron"]), (&change["name"], &change["cron"]));
        let next = due.plus(Duration::from_secs(60 * (30 + round))).to_string();
        assert_eq!(trigger["next_run_at"], next, "it goes by the new schedule");
        // That one is not wanted here.
        world.patch(json!({ "cron": "0 * * * *" })).await.expect(200);
    }
    let runs = world.runs().await;
    assert!(runs.iter().all(|run| may.contains(run)), "only due times of the schedule: {runs:?}");
    let mut once = runs.clone();
    once.dedup();
    assert_eq!(runs, once);
}

#[tokio::test]
async fn many_triggers_that_are_due_at_once_all_fire() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    let path = format!("/v1/workflows/{}/triggers", world.workflow);
    let mut expected = vec![world.trigger.clone()];
    for _ in 1..100 {
        let made = world.acme.client.post(&path, &json!({ "cron": "0 9 * * *" })).await.expect(201);
        expected.push(text(&made, "id").to_owned());
    }
    world.clock.advance(Duration::from_secs(60));
    // Page by page, each stands in the index once.
    let mut found = Vec::new();
    for shard in 0..DEADLINE_SHARDS {
        let mut after = None;
        loop {
            let page =
                world.app.state.store.due(shard, world.clock.now(), after.as_deref(), 3).await.unwrap();
            found.extend(page.rows.iter().filter_map(|row| match &row.due {
                Due::Trigger(trigger) => Some(trigger.trigger_id.to_string()),
                Due::Run(_) | Due::Secret(_) | Due::Standing(_) | Due::Unknown => None,
            }));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(shared::worker::sweep(&world.app.state, world.clock.now()).await.unwrap(), 100);
    assert_eq!(world.runs().await.len(), 100);
    assert_eq!(shared::worker::sweep(&world.app.state, world.clock.now()).await.unwrap(), 0);
}
