//! The promises of the run protocol under failure, by enumeration: every storage and queue call of a run fails
//! before and after its effect, as an error and as a crash of its process; messages come once, twice, at the
//! same time, in reverse, or not at all for a while. After each, the run must have ended as it should, with
//! every step committed once.

use std::collections::BTreeMap;
use std::time::Duration;

use it::{Fault, Faults, chain, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::worker::Message;
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
    assert!(!revisions.is_empty(), "{what}: the run's commits are seen");
    let expected: Vec<u64> = (1..=revisions.len() as u64).collect();
    assert_eq!(revisions, expected, "{what}: each state was followed by one other");
    // Terminal is final: what comes late changes nothing.
    let key = serde_json::json!({ "tenant_id": "acme", "project_id": "default", "run_id": world.run_id })
        .to_string();
    let late = Message { id: "late".to_owned(), body: key, receive_count: 2 };
    shared::worker::handle(&world.app.state, [late], Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(world.acme.events(run).await.len(), events.len(), "{what}: a terminal run is final");
}

/// After all scenarios: each run counts once, with the steps that it executed.
async fn check_counters(world: &World, scenarios: u64, what: &str) {
    let told = async |name: &str| {
        world.acme.client.get(&format!("/v1/analytics/{name}?window=all")).await.expect(200)
    };
    let run = world.acme.of_run(&world.run().await, "summary").await;
    let executed = run["steps_executed"].as_u64().unwrap() * scenarios;
    let counted = told("runs-count").await;
    assert_eq!(counted["by_status"][run["status"].as_str().unwrap()], scenarios, "{what}: runs count once");
    assert_eq!(counted["count"], scenarios, "{what}");
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
            for fault in Fault::ways() {
                let what = format!("{} / {delivery:?} / call {call} of {calls} / {fault:?}", case.name);
                replay(&mut world, case, &Faults::at(call, fault), &what).await;
            }
        }
        let scenarios = 1 + (calls * Fault::ways().len()) as u64;
        check_counters(&world, scenarios, &format!("{} / {delivery:?}", case.name)).await;
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
