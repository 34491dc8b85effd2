//! What a run is charged, under failure: every storage and queue call of metered runs fails before and after its
//! effect, as an error and as a crash; messages come once, twice, at the same time, in reverse, or not at all for a
//! while. Whatever happens, each executed step is debited once, the buckets are used in their order, and the account
//! is what the entries come to. More than a thousand runs in all.

use std::collections::BTreeMap;

use it::{Fault, Faults, chain, for_each, graph, lua, lua_after, with};
use serde_json::{Value, json};
use shared::billing::{Balance, DEFAULT_STEP_PRICE, Microcredits};
use shared::services::billing;

use crate::world::{DELIVERIES, Delivery, World};

const PRICE: u64 = DEFAULT_STEP_PRICE.0;
/// What is granted, in steps; each world uses up the first two buckets.
const GRANTED: [(&str, u64); 3] = [("trial", 7), ("included", 20), ("payg", 100_000)];
/// Of each of five graphs.
const LEAST_RUNS: u64 = 200;

/// Every run of a workspace with what it has used.
async fn runs(world: &World) -> BTreeMap<String, (u64, u64)> {
    let mut runs = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = world.acme.client.get(&format!("/v1/runs?limit=100{cursor}")).await.expect(200);
        for run in page["runs"].as_array().unwrap() {
            assert!(run["ended_at"].is_string(), "{run:#}");
            let summary = world.acme.of_run(run, "summary").await;
            let number = |key: &str| summary[key].as_u64().unwrap();
            let used = (number("steps_executed"), number("credits_used_microcredits"));
            runs.insert(run["run_id"].as_str().unwrap().to_owned(), used);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return runs,
        }
    }
}

/// What was debited, by run.
async fn debits(world: &World) -> BTreeMap<String, (u64, u64)> {
    let mut debits: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/billing/usage-history?kind=debit&limit=100{cursor}");
        let page = world.acme.client.get(&path).await.expect(200);
        for entry in page["entries"].as_array().unwrap() {
            let of_run = debits.entry(entry["run_id"].as_str().unwrap().to_owned()).or_default();
            of_run.0 += entry["steps"].as_u64().unwrap();
            of_run.1 += entry["microcredits"].as_u64().unwrap();
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return debits,
        }
    }
}

/// What is left when so much was used, bucket by bucket.
fn left(mut used: u64) -> Vec<u64> {
    let rest = |(_, steps): &(&str, u64)| {
        let taken = used.min(steps * PRICE);
        used -= taken;
        steps * PRICE - taken
    };
    GRANTED.iter().map(rest).collect()
}

async fn remaining(world: &World) -> Vec<u64> {
    let usage = world.acme.client.get("/v1/billing/usage").await.expect(200);
    let of = |(bucket, _): &(&str, u64)| usage[format!("{bucket}_remaining")].as_u64().unwrap();
    GRANTED.iter().map(of).collect()
}

/// One run after another, each with another fault; what was used is taken from the buckets in their order all along.
async fn replay(delivery: Delivery, graph: &Value) -> u64 {
    let what = format!("{delivery:?}");
    let mut world = World::metered(delivery, graph).await;
    for (bucket, steps) in GRANTED {
        world.app.grant("acme", bucket, steps * PRICE, bucket).await;
    }
    let none = Faults::default();
    world.next_scenario();
    world.start(&none).await;
    world.until_over(&none).await;
    let faults = (0..none.calls())
        .flat_map(|call| Fault::ways().into_iter().map(move |fault| Faults::at(call, fault)));
    for faults in faults {
        world.next_scenario();
        world.start(&faults).await;
        world.until_over(&faults).await;
        // As long as the first two buckets last.
        if world.scenarios <= 12 {
            let used: u64 = debits(&world).await.values().map(|(_, credits)| credits).sum();
            assert_eq!(remaining(&world).await, left(used), "{what}: in order, also across a boundary");
        }
    }
    let (runs, debits) = (runs(&world).await, debits(&world).await);
    assert_eq!(runs.len() as u64, world.scenarios, "{what}");
    assert_eq!(runs, debits, "{what}: each run is debited what it has executed");
    let steps: u64 = runs.values().map(|(steps, _)| steps).sum();
    let debited: u64 = debits.values().map(|(_, credits)| credits).sum();
    assert_eq!(debited, steps * PRICE, "{what}: to the microcredit");
    assert!(steps > GRANTED[0].1 + GRANTED[1].1, "{what}: two buckets are used up");
    assert_eq!(remaining(&world).await, left(debited), "{what}");

    let tenant = "acme".parse().unwrap();
    let verified = billing::verify(&world.app.state.store, &tenant, world.clock.now()).await.unwrap();
    assert_eq!(verified.differences, Vec::<String>::new(), "{what}");
    assert_eq!(verified.used, Microcredits(debited), "{what}");
    let Balance { trial, included, payg, owed } = verified.balance;
    assert_eq!(remaining(&world).await, [trial.0, included.0, payg.0], "{what}");
    assert_eq!(owed, Microcredits::ZERO);
    world.scenarios
}

async fn every_fault(graph: &Value) {
    let mut runs = 0;
    for delivery in DELIVERIES {
        runs += replay(delivery, graph).await;
    }
    assert!(runs >= LEAST_RUNS, "only {runs} runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_debited_once_under_every_fault() {
    every_fault(&chain(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_side_by_side_are_debited_once_under_every_fault() {
    every_fault(&graph([
        lua("a", "return {}"),
        lua_after("b", &["a"], "return {}"),
        lua_after("c", &["a"], "return {}"),
        lua_after("d", &["b", "c"], "return {}"),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inner_steps_of_a_loop_are_debited_once_under_every_fault() {
    let body = [lua("each", "return { n = item }")];
    every_fault(&graph([for_each("loop", &json!([1, 2, 3]), &body)])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_run_has_executed_is_debited_once_under_every_fault() {
    every_fault(&graph([
        lua("a", "return {}"),
        lua_after("b", &["a"], "return {}"),
        lua_after("c", &["b"], "error('no')"),
        lua_after("d", &["c"], "return {}"),
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skipped_and_failed_steps_are_free_under_every_fault() {
    every_fault(&graph([
        with(lua("bad", "error('no')"), &json!({ "continue_on_error": true })),
        with(lua_after("off", &["bad"], "return {}"), &json!({ "enabled": false })),
        lua_after("a", &["off"], "return {}"),
        lua_after("b", &["a"], "return {}"),
    ]))
    .await;
}
