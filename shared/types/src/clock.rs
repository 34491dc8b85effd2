//! Time as the engine sees it: milliseconds since the epoch, from a clock that tests can drive.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, to the millisecond. Serialises as RFC 3339 in UTC with three decimals; use
/// [`millis`] where a row wants a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, the unit of DynamoDB's TTL attribute.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole days since 1970-01-01, in UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(24 * 3600 * 1000)
    }

    /// Midnight UTC at which a day begins.
    pub const fn of_day(day: i64) -> Self {
        Self(day * 24 * 3600 * 1000)
    }

    /// This time plus `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This time less `duration`.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Seconds and nanoseconds, as UUIDv7 wants them.
    pub fn unix_parts(self) -> (u64, u32) {
        let seconds = u64::try_from(self.as_seconds()).unwrap_or(0);
        let nanos = u32::try_from(self.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        (seconds, nanos)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// A text that is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time with its zone, such as 2026-01-31T12:00:00Z (RFC 3339)")]
pub struct NotATime;

impl std::str::FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_millisecond())).map_err(|_| NotATime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// `#[serde(with = "clock::millis")]`: a timestamp as a number, for rows that hold hundreds of them.
pub mod millis {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes milliseconds.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        time.as_millis().serialize(serializer)
    }

    /// Reads milliseconds.
    ///
    /// # Errors
    /// When the value is not a whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

/// Where the time comes from. Cloning gives a handle on the same clock.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that a test sets and moves.
    Manual(Arc<Manual>),
}

/// A time that is set, and who waits for it to move.
#[derive(Debug, Default)]
pub struct Manual {
    at: AtomicI64,
    waiting: Mutex<Vec<Waker>>,
}

impl Manual {
    /// Waits until somebody has moved the clock to this time.
    pub async fn reach(&self, time: Timestamp) {
        poll_fn(|context| {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Behind the lock, so that no move is missed between the look and the wait.
            if self.at.load(Ordering::SeqCst) >= time.0 {
                return Poll::Ready(());
            }
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn advance(&self, by: Duration) {
        self.at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Clock {
    /// A clock that stands still at `start` until it is moved.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(Manual { at: AtomicI64::new(start.0), waiting: Mutex::default() }))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Self::Manual(manual) => Timestamp(manual.at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the machine's clock does not move for us.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(manual) = self {
            manual.advance(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_three_decimals_and_read_back() {
        let time = Timestamp::from_millis(1_784_592_000_120);
        assert_eq!(time.to_string(), "2026-07-21T00:00:00.120Z");
        assert_eq!("2026-07-21T02:00:00.12+02:00".parse::<Timestamp>().unwrap(), time);
    }

    #[tokio::test]
    async fn who_waits_for_a_time_wakes_when_a_manual_clock_is_there() {
        let clock = Manual::default();
        let (minute, order) = (Duration::from_secs(60), std::sync::Mutex::new(Vec::new()));
        let note = |what| order.lock().unwrap().push(what);
        let waiting = async {
            clock.reach(Timestamp::default().plus(2 * minute)).await;
            note("there");
        };
        let moving = async {
            for what in ["first", "second", "third"] {
                clock.advance(minute);
                tokio::task::yield_now().await;
                note(what);
            }
        };
        tokio::join!(waiting, moving);
        assert_eq!(order.into_inner().unwrap(), ["first", "there", "second", "third"]);
    }
}
