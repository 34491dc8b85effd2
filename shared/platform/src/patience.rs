//! How long work waits for a store that refuses it for a moment.
//!
//! What is refused, or not answered, is sent again after pauses that grow and are drawn at random, so that many that
//! were refused together do not come back together. A request waits for a few seconds in all, because somebody waits
//! for its answer. A worker waits until the lease of what it has in flight ends: a call that was paid for must not be
//! made again because its result could not be written just now.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use types::clock::Clock;
use types::retry::Backoff;

/// What a request may wait in all, and work that says nothing else for each of its calls.
const OF_A_REQUEST: Duration = Duration::from_secs(10);
/// What a worker waits when nothing of it is in flight: its message comes again, and what it had is computed again.
const OF_A_WORKER: Duration = Duration::from_secs(30);
/// What may wait that can be done later, too: a row of a sweep, behind which there are others.
const BRIEF: Duration = Duration::from_secs(3);
/// No pause is longer than this.
const MAX_PAUSE: Duration = Duration::from_secs(5);
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), MAX_PAUSE);

tokio::task_local! {
    static CURRENT: Patience;
}

/// The patience of some work. Clones share it.
#[derive(Debug, Clone)]
pub struct Patience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What may be spent on trouble.
    budget: Duration,
    /// Whether that is for all calls together, and not for each.
    is_in_all: bool,
    /// Nothing is tried again after this.
    end: Option<Instant>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of a budget for all calls.
    spent: Duration,
    /// Pauses that were left out because the clock is a test's.
    skipped: Duration,
    /// Until then the budget does not matter.
    held_until: Option<Instant>,
}

impl Patience {
    /// Of a request.
    pub fn of_request() -> Self {
        Self::new(OF_A_REQUEST, true, None)
    }

    /// Of a worker whose invocation ends at `end`.
    pub fn of_worker(end: Instant) -> Self {
        Self::new(OF_A_WORKER, false, Some(end))
    }

    /// Of what can be done later, too, in work that ends at `end`.
    pub fn brief(end: Instant) -> Self {
        Self::new(BRIEF, true, Some(end))
    }

    fn new(budget: Duration, is_in_all: bool, end: Option<Instant>) -> Self {
        Self(Arc::new(Inner { budget, is_in_all, end, state: Mutex::default() }))
    }

    /// That of the work which this is part of, or of a single call.
    fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_else(|_| Self::new(OF_A_REQUEST, false, None))
    }

    /// Work that has this patience.
    pub fn around<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        // Not an `async fn`, which would hold the work twice: as it was given, and as it is polled.
        CURRENT.scope(self, work)
    }

    /// Holds out until this time, whatever the budget: something is in flight whose result is wanted.
    pub fn hold_until(&self, time: Instant) {
        let mut state = self.state();
        state.held_until = state.held_until.max(Some(time));
    }

    /// Takes a pause out of what is left; false when too little is left for it.
    fn takes(&self, pause: Duration, spent_here: Duration, spent_now: Duration) -> bool {
        let Inner { budget, is_in_all, end, .. } = *self.0;
        let mut state = self.state();
        state.spent += spent_now;
        let spent = if is_in_all { state.spent } else { spent_here };
        let after = Instant::now() + state.skipped + pause;
        let is_held = state.held_until.is_some_and(|until| after <= until);
        if end.is_some_and(|end| after > end) || (spent + pause > budget && !is_held) {
            return false;
        }
        state.spent += pause;
        true
    }

    fn skip(&self, pause: Duration) {
        self.state().skipped += pause;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call that is in trouble.
#[derive(Debug)]
pub struct Trouble {
    clock: Clock,
    patience: Patience,
    tries: u32,
    spent: Duration,
    tried_at: Instant,
}

impl Trouble {
    /// Before the call is sent for the first time.
    pub fn new(clock: &Clock) -> Self {
        let patience = Patience::current();
        Self { clock: clock.clone(), patience, tries: 0, spent: Duration::ZERO, tried_at: Instant::now() }
    }

    /// How often it was tried again.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Waits a while, when there is patience for it, and says whether the call is to be tried again.
    pub async fn pause(&mut self) -> bool {
        let took = self.tried_at.elapsed();
        self.spent += took;
        let pause = PAUSES.wait(self.tries, rand::random_range(0.5..=1.0));
        if !self.patience.takes(pause, self.spent, took) {
            return false;
        }
        self.tries += 1;
        self.spent += pause;
        if matches!(self.clock, Clock::Manual(_)) {
            self.patience.skip(pause);
        }
        crate::pause(&self.clock, pause).await;
        self.tried_at = Instant::now();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::clock::Timestamp;

    /// For how long a call is tried again that always fails at once. No time passes meanwhile.
    async fn tried_for(patience: &Patience) -> Duration {
        let clock = Clock::manual(Timestamp::default());
        let before = patience.state().skipped;
        let work = async {
            let mut trouble = Trouble::new(&clock);
            while trouble.pause().await {}
        };
        patience.clone().around(work).await;
        patience.state().skipped - before
    }

    fn is_about(time: Duration, seconds: u64) -> bool {
        let most = Duration::from_secs(seconds);
        time <= most && time + MAX_PAUSE >= most
    }

    #[tokio::test]
    async fn a_request_waits_ten_seconds_in_all() {
        let patience = Patience::of_request();
        assert!(is_about(tried_for(&patience).await, 10));
        assert!(tried_for(&patience).await < MAX_PAUSE, "nothing is left for a second call");
    }

    #[tokio::test]
    async fn other_work_waits_ten_seconds_for_each_call() {
        let patience = Patience::new(OF_A_REQUEST, false, None);
        for _ in 0..2 {
            assert!(is_about(tried_for(&patience).await, 10));
        }
    }

    #[tokio::test]
    async fn a_worker_waits_for_what_is_in_flight_but_not_beyond_its_invocation() {
        let patience = Patience::of_worker(Instant::now() + Duration::from_secs(900));
        for _ in 0..2 {
            assert!(is_about(tried_for(&patience).await, 30), "each call has its own");
        }
        let waited = patience.state().skipped;
        patience.hold_until(Instant::now() + waited + Duration::from_secs(300));
        patience.hold_until(Instant::now() + Duration::from_secs(60));
        assert!(is_about(tried_for(&patience).await, 300));
        let patience = Patience::of_worker(Instant::now() + Duration::from_secs(20));
        patience.hold_until(Instant::now() + Duration::from_secs(300));
        assert!(is_about(tried_for(&patience).await, 20));
    }

    #[test]
    fn time_that_a_call_takes_counts() {
        let (patience, second) = (Patience::of_request(), Duration::from_secs(1));
        assert!(patience.takes(second, 5 * second, 5 * second));
        assert!(!patience.takes(second, 10 * second, 4 * second), "5 + 1 + 4 + 1");
    }
}
