//! Somebody acts on a run exactly between two calls of the worker that is on it, by enumeration: before each call
//! that a worker makes with a message, the run is paused, stopped at once or stopped gracefully, and the promises
//! hold.

use std::time::Duration;

use it::{Faults, Gate, Planted};
use shared::worker::Message;
use tokio::time::Instant;

use crate::engine_replay::{Play, world};
use crate::promises::{Kept, ensure};
use crate::world::{Delivery, World};

const ACTS: [(&str, Option<&str>, &[&str]); 3] = [
    ("pause", None, &["paused"]),
    ("stop", None, &["stopped"]),
    ("stop", Some("graceful"), &["draining", "stopped"]),
];

/// One worker takes the first message of a run, and before its call `at` somebody acts. Answers how many calls it
/// made.
async fn interfered(world: &World, at: usize, act: usize) -> Result<usize, String> {
    let none = Faults::default();
    let mut play = Play::new(world, &none, 0, 0);
    world.start(&none).await;
    let body = world.messages().await.swap_remove(0);
    let (gate, keeper) = Gate::at(at);
    let worker = world.process_with(gate.interceptor());
    let message = Message { id: "m".to_owned(), body: body.clone(), receive_count: 1 };
    let far = Instant::now() + Duration::from_secs(3600);
    let mut working = tokio::spawn(async move { shared::worker::handle(&worker, [message], far).await });
    let (command, mode, reached) = ACTS[act];
    let (is_held_up, handled) = tokio::select! {
        _ = keeper.reached => {
            play.command(command, mode, reached).await?;
            // Others see to what follows from it while the worker is still held up.
            for body in world.messages().await {
                world.deliver(&body, &world.healthy_process(), &none).await;
            }
            keeper.go_on.send(()).map_err(|_| "the worker is gone".to_owned())?;
            (true, working.await)
        }
        // It made fewer calls.
        handled = &mut working => (false, handled),
    };
    if !handled.map_err(|error| error.to_string())?.is_empty() {
        // The queue would bring it again.
        world.deliver(&body, &world.healthy_process(), &none).await;
    }
    play.go_on().await?;
    if is_held_up && (command, mode) == ("stop", None) {
        for run in play.runs().await {
            // One that nobody waits for may go on.
            let may_end = run["workflow_id"] != world.child.as_str();
            ensure(may_end || run["status"] == "stopped", || format!("a stop was not passed on: {run:#}"))?;
        }
    }
    Ok(gate.calls())
}

async fn every_moment(bug: Option<Planted>) -> Kept {
    for (act, (command, mode, _)) in ACTS.iter().enumerate() {
        let mut world = world(Delivery::Once, bug).await;
        world.next_scenario();
        let calls = interfered(&world, usize::MAX, act).await?;
        for at in 0..calls {
            world.next_scenario();
            let told = interfered(&world, at, act).await;
            told.map_err(|why| format!("{command} {mode:?} before call {at} of {calls}: {why}"))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_can_be_paused_and_stopped_between_any_two_calls_of_a_worker() {
    if let Err(broken) = every_moment(None).await {
        panic!("{broken}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_planted_bug_is_found() {
    for bug in [Planted::StartsUnwantedChildren, Planted::ReplacesAnyRevision] {
        let found = every_moment(Some(bug)).await;
        let found = found.expect_err("a promise is broken");
        println!("{bug:?} was found: {}", found.lines().next().unwrap_or_default());
    }
}
