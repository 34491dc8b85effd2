//! Refusals on their way to the log. Anybody may send garbage to a public address, so a process writes at most once in
//! [`EVERY`] for a subscription, and what comes in between is counted and goes along with the next write. Whether a
//! refusal is written depends on when it comes and not on why, so that how long an answer takes does not tell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform::cache::{Cache, Stay};
use types::clock::Timestamp;
use types::ids::SubscriptionId;

/// How long a process waits after a write for a subscription.
const EVERY: Duration = Duration::from_secs(5);
const MAX_KEPT: u64 = 10_000;

/// Refusals that are not in the log yet.
#[derive(Debug)]
pub(super) struct Refusals(Cache<SubscriptionId, Arc<Mutex<Pending>>>);

/// How often senders were refused, by reason.
pub(super) type Counts = BTreeMap<&'static str, u64>;

#[derive(Debug, Default)]
struct Pending {
    written_at: Option<Timestamp>,
    /// When the last of those that are counted came.
    last_at: Timestamp,
    counts: Counts,
}

impl Default for Refusals {
    fn default() -> Self {
        Self(Cache::new(MAX_KEPT, Stay::Unused(Duration::from_secs(600))))
    }
}

impl Refusals {
    /// Counts a refusal. What is to be written now, if anything is: this one, and before it those of an earlier
    /// minute, which belong to that one's entry.
    pub(super) fn note(
        &self,
        id: SubscriptionId,
        reason: &'static str,
        now: Timestamp,
    ) -> Vec<(Timestamp, Counts)> {
        let pending = self.0.get_or_make(id, Arc::default);
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = pending.written_at.is_none_or(|at| now.since(at) >= EVERY);
        let mut due = Vec::new();
        if is_due && !pending.counts.is_empty() && minute(pending.last_at) != minute(now) {
            due.push((pending.last_at, std::mem::take(&mut pending.counts)));
        }
        *pending.counts.entry(reason).or_default() += 1;
        pending.last_at = now;
        if is_due {
            pending.written_at = Some(now);
            due.push((now, std::mem::take(&mut pending.counts)));
        }
        due
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_seconds().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_written_now_and_then() {
        let refusals = Refusals::default();
        let at = Timestamp::from_millis;
        let id = SubscriptionId::new(at(1));
        let one = |reason, millis| vec![(at(millis), BTreeMap::from([(reason, 1)]))];
        assert_eq!(refusals.note(id, "A", at(0)), one("A", 0));
        for millis in 1..5_000 {
            assert!(refusals.note(id, if millis % 2 == 0 { "A" } else { "B" }, at(millis)).is_empty());
        }
        let others = vec![(at(5_000), BTreeMap::from([("A", 2_499), ("B", 2_501)]))];
        assert_eq!(refusals.note(id, "B", at(5_000)), others);
        let other = SubscriptionId::new(at(2));
        assert_eq!(refusals.note(other, "B", at(5_000)), one("B", 5_000));
    }

    #[test]
    fn what_was_counted_in_an_earlier_minute_belongs_to_that_one() {
        let refusals = Refusals::default();
        let at = Timestamp::from_millis;
        let id = SubscriptionId::new(at(1));
        assert_eq!(refusals.note(id, "A", at(1_000)).len(), 1);
        assert!(refusals.note(id, "B", at(2_000)).is_empty());
        let due = vec![(at(2_000), BTreeMap::from([("B", 1)])), (at(90_000), BTreeMap::from([("C", 1)]))];
        assert_eq!(refusals.note(id, "C", at(90_000)), due);
    }
}
