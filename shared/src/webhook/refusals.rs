//! Refusals on their way to the log. Anybody may send garbage to a public address, so a process writes at most once in
//! [`EVERY`] for a subscription, and what comes in between is counted and goes along with the next write. Whether a
//! refusal is written depends on when it comes and not on why, so that how long an answer takes does not tell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::ids::SubscriptionId;

/// How long a process waits after a write for a subscription.
const EVERY: Duration = Duration::from_secs(5);
const MOST_KEPT: u64 = 10_000;

/// Refusals that are not in the log yet.
#[derive(Debug)]
pub(super) struct Refusals(Cache<SubscriptionId, Arc<Mutex<Pending>>>);

#[derive(Debug, Default)]
struct Pending {
    written_at: Option<Timestamp>,
    counts: BTreeMap<&'static str, u64>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST_KEPT).time_to_idle(Duration::from_secs(600)).build())
    }
}

impl Refusals {
    /// Counts a refusal; what is to be written now, if anything is.
    pub(super) fn note(
        &self,
        id: SubscriptionId,
        reason: &'static str,
        now: Timestamp,
    ) -> Option<BTreeMap<&'static str, u64>> {
        let pending = self.0.get_with(id, Arc::default);
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending.counts.entry(reason).or_default() += 1;
        if pending.written_at.is_some_and(|at| now.since(at) < EVERY) {
            return None;
        }
        pending.written_at = Some(now);
        Some(std::mem::take(&mut pending.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_written_now_and_then() {
        let refusals = Refusals::default();
        let at = Timestamp::from_millis;
        let id = SubscriptionId::new(at(1));
        assert_eq!(refusals.note(id, "A", at(0)), Some(BTreeMap::from([("A", 1)])));
        for millis in 1..5_000 {
            assert_eq!(refusals.note(id, if millis % 2 == 0 { "A" } else { "B" }, at(millis)), None);
        }
        assert_eq!(refusals.note(id, "B", at(5_000)), Some(BTreeMap::from([("A", 2_499), ("B", 2_501)])));
        let other = SubscriptionId::new(at(2));
        assert_eq!(refusals.note(other, "B", at(5_000)), Some(BTreeMap::from([("B", 1)])));
    }
}
