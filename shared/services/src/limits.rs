//! Rate limits: how often somebody may call, as a bucket that fills again steadily. Buckets stand in the memory of
//! one process; `docs/decisions` says why they are not shared.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use platform::cache::{Cache, Stay};
use types::clock::Clock;
use types::error::{ErrorCode, Kind};
use types::{Error, Result};

/// Longer than any bucket takes to be full again: one that is forgotten then would have been full.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
const MOST_BUCKETS: u64 = 100_000;

/// How much of something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many a second, over time.
    pub per_second: NonZeroU32,
    /// So many at once.
    pub burst: NonZeroU32,
}

impl Limit {
    /// So many a second and twice as many at once; 0 counts as 1.
    pub fn per_second(rate: u32) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { per_second: at_least_one(rate), burst: at_least_one(rate.saturating_mul(2)) }
    }

    /// So many times as much.
    pub fn times(self, factor: NonZeroU32) -> Self {
        Self { per_second: self.per_second.saturating_mul(factor), burst: self.burst.saturating_mul(factor) }
    }
}

/// How many requests a process answers at a time; each takes a socket, of which processes may often have 1,024, and calls of
/// the outside take some, too.
pub const MAX_REQUESTS: usize = 512;

/// What a request is refused with when others of its tenant have all permits that it may have.
pub fn too_many_under_way(most: usize) -> Error {
    let message = format!(
        "The workspace has {most} requests under way, and no more at a time; wait for the answers to some, or ask for \
         shorter waits (wait_s, Prefer)."
    );
    Error::new(Kind::TooMany { retry_after: Duration::from_secs(1) }, ErrorCode::RateLimited, message)
}

/// What is left to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// So many at once.
    pub limit: u32,
    /// So many of them are left.
    pub remaining: u32,
    /// After so many seconds without a call all of them are there again.
    pub reset_s: u64,
    /// How long to wait, when nothing was left.
    pub wait: Option<Duration>,
}

impl Allowance {
    /// Passes unless nothing was left.
    ///
    /// # Errors
    /// Too many, with the time to wait.
    pub fn check(&self, whose: &str) -> Result<()> {
        match self.wait {
            None => Ok(()),
            Some(wait) => {
                let message = format!("{whose} calls too often; slow down and try again after Retry-After.");
                Err(Error::new(Kind::TooMany { retry_after: wait }, ErrorCode::RateLimited, message))
            }
        }
    }
}

/// Time as the buckets want it, from a clock that tests can drive.
#[derive(Debug, Clone)]
struct BucketClock(Clock);

impl GovernorClock for BucketClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millis()).unwrap_or(0))
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, BucketClock, StateInformationMiddleware>;

/// A bucket for each key.
#[derive(Debug)]
pub struct Limiter<K: Hash + Eq + Send + Sync + 'static> {
    limit: Limit,
    clock: BucketClock,
    buckets: Cache<K, Arc<Bucket>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Limiter<K> {
    /// Allows this much to each key.
    pub fn new(limit: Limit, clock: Clock) -> Self {
        let buckets = Cache::new(MOST_BUCKETS, Stay::Unused(FORGOTTEN_AFTER));
        Self { limit, clock: BucketClock(clock), buckets }
    }

    /// Takes one from this key's bucket, if there is one.
    pub fn take(&self, key: K) -> Allowance {
        let Limit { per_second, burst } = self.limit;
        let bucket = self.buckets.get_or_make(key, || {
            let quota = Quota::per_second(per_second).allow_burst(burst);
            Arc::new(RateLimiter::direct_with_clock(quota, self.clock.clone()).with_middleware())
        });
        let (remaining, wait) = match bucket.check() {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(self.clock.now()))),
        };
        let missing = u64::from(burst.get().saturating_sub(remaining));
        let reset_s = missing.div_ceil(u64::from(per_second.get()));
        Allowance { limit: burst.get(), remaining, reset_s, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::clock::Timestamp;

    fn limiter(rate: u32) -> (Limiter<&'static str>, Clock) {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        (Limiter::new(Limit::per_second(rate), clock.clone()), clock)
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_fills_again_steadily() {
        let (limiter, clock) = limiter(2);
        let left: Vec<u32> = (0..4).map(|_| limiter.take("a").remaining).collect();
        assert_eq!(left, [3, 2, 1, 0]);
        let empty = limiter.take("a");
        assert_eq!((empty.limit, empty.remaining, empty.reset_s), (4, 0, 2));
        assert_eq!(empty.wait, Some(Duration::from_millis(500)));
        assert_eq!(empty.check("The token").unwrap_err().code, ErrorCode::RateLimited);
        clock.advance(Duration::from_millis(500));
        assert_eq!(limiter.take("a").wait, None, "one has come");
        assert!(limiter.take("a").wait.is_some(), "and only one");
        clock.advance(Duration::from_secs(2));
        assert_eq!(limiter.take("a").remaining, 3, "full again");
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let (limiter, _) = limiter(1);
        assert!((0..3).map(|_| limiter.take("a")).any(|left| left.wait.is_some()));
        assert_eq!(limiter.take("b").wait, None);
    }
}
