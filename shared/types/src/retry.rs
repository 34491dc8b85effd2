//! How long to wait between tries.

use std::time::Duration;

/// Waits that double: `base` before the first retry, twice that before the second, and never more than `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// From `base` up to `max`.
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, max }
    }

    /// The whole wait after so many retries, 0 before the first.
    pub fn longest(self, retries: u32) -> Duration {
        self.base.saturating_mul(2_u32.saturating_pow(retries)).min(self.max)
    }

    /// A part of it, between 0 and 1: with a random one (full jitter) those who failed together do not come back together.
    pub fn wait(self, retries: u32, jitter: f64) -> Duration {
        let part = if jitter.is_nan() { 1.0 } else { jitter.clamp(0.0, 1.0) };
        self.longest(retries).mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_up_to_the_longest(
            base in 0_u64..100_000, max in 0_u64..10_000_000, retries in any::<u32>(), jitter in any::<f64>(),
        ) {
            let max = Duration::from_millis(max);
            let backoff = Backoff::new(Duration::from_millis(base), max);
            let longest = backoff.longest(retries);
            prop_assert!(longest <= max && backoff.wait(retries, jitter) <= longest);
            prop_assert!(longest == max || base == 0 || longest == Duration::from_millis(base << retries));
            prop_assert_eq!(backoff.wait(retries, 1.0), longest);
            prop_assert_eq!(backoff.wait(retries, 0.0), Duration::ZERO);
        }
    }
}
