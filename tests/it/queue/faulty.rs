//! How a queue fails in the tests that let it fail.

use std::sync::Arc;
use std::time::Duration;

use it::{Fault, Faults, Kind, Stores, Way};
use shared::platform::queue::{Queue, Wake};
use shared::types::clock::Clock;
use shared::types::ids::{Place, RunId, RunRef};

/// Sends two messages, of which the first fails like this; which of the two were told to be sent, and how many came.
async fn outcome(faults: &Faults) -> ([bool; 2], usize) {
    let stores = Stores::new().await;
    let state = stores.faulty_state(Clock::System, faults);
    let place = Place { tenant_id: "acme".parse().unwrap(), project_id: "default".parse().unwrap() };
    let wake = Wake::ready(RunRef { place, run_id: RunId::new(Clock::System.now()) });
    let first = state.queue.send(&wake, Duration::ZERO).await.is_ok();
    let second = state.queue.send(&wake, Duration::ZERO).await.is_ok();
    let queue: Arc<dyn Queue> = stores.queue.clone();
    ([first, second], queue.receive(10, Duration::ZERO).await.unwrap().len())
}

#[tokio::test]
async fn a_message_fails_before_or_after_it_is_sent_and_with_its_process() {
    assert_eq!(outcome(&Faults::default()).await, ([true, true], 2));
    let dropped = Way::Is(Kind::Dropped);
    assert_eq!(outcome(&Faults::at(0, Fault::Before(dropped))).await, ([false, true], 1));
    assert_eq!(outcome(&Faults::at(0, Fault::After(dropped))).await, ([false, true], 2));
    let crash = Faults::at(0, Fault::CrashBefore);
    assert_eq!(outcome(&crash).await, ([false, false], 0));
    assert!(crash.is_dead());
    let crash = Faults::at(0, Fault::CrashAfter);
    assert_eq!(outcome(&crash).await, ([false, false], 1));
    assert!(crash.is_dead());
    // What DynamoDB alone does.
    assert_eq!(outcome(&Faults::at(0, Fault::Before(Way::Is(Kind::Conflict)))).await, ([true, true], 2));
}

#[tokio::test]
async fn a_queue_is_away_for_as_many_calls_as_it_is_told() {
    let faults = Faults::default();
    faults.begin_outage(Kind::Timeout, 1);
    assert_eq!(outcome(&faults).await, ([false, true], 1));
    assert_eq!(faults.calls(), 2);
}
