//! Which buckets a query is about. Ranges consist of whole hours or days in UTC, so that a query reads buckets and
//! never runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use types::clock::Timestamp;
use types::{Error, Result};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Ranges between two times that are not longer consist of hours, unless something else is asked for.
const LONGEST_BY_HOUR: Duration = Duration::from_secs(48 * 3600);
/// Hours of 31 days.
const MOST_HOURS: usize = 31 * 24;
/// Days of ten years.
const MOST_DAYS: usize = 3653;

/// The width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

/// A range that moves with the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last 30 days, today included.
    Month,
    /// The last 7 days, today included.
    Week,
    /// Since the first run.
    All,
}

/// What buckets to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first bucket; none for the first there is.
    from: Option<Timestamp>,
    /// The end of the last bucket.
    to: Timestamp,
    granularity: Granularity,
}

impl Granularity {
    /// Each of them: every run is counted in a bucket of each.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    const fn width(self) -> Duration {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }

    const fn most(self) -> usize {
        match self {
            Self::Hour => MOST_HOURS,
            Self::Day => MOST_DAYS,
        }
    }

    /// The beginning of the bucket that a time belongs to.
    pub fn bucket(self, at: Timestamp) -> Timestamp {
        let width = i64::try_from(self.width().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(at.as_millis().div_euclid(width) * width)
    }

    /// A bucket's name, which sorts by time: `2026-11-25T08` or `2026-11-25`.
    pub fn name(self, bucket: Timestamp) -> String {
        let time = bucket.to_string();
        let length = if self == Self::Hour { 13 } else { 10 };
        time.get(..length).unwrap_or(&time).to_owned()
    }

    /// The bucket of this name.
    pub fn parse(self, name: &str) -> Option<Timestamp> {
        let rest = if self == Self::Hour { ":00:00Z" } else { "T00:00:00Z" };
        let bucket: Timestamp = format!("{name}{rest}").parse().ok()?;
        (self.name(bucket) == name).then_some(bucket)
    }
}

impl Range {
    /// The buckets that a caller asks for: those of a window, `month` when nothing is said, or those that the time
    /// from `from` until before `to` touches.
    ///
    /// # Errors
    /// Invalid, naming the parameter.
    pub fn asked(
        window: Option<Window>,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        granularity: Option<Granularity>,
        now: Timestamp,
    ) -> Result<Self> {
        let Some(from) = from else {
            if to.is_some() {
                return Err(Error::invalid("to: needs from beside it."));
            }
            return Self::of_window(window.unwrap_or(Window::Month), granularity, now);
        };
        if window.is_some() {
            return Err(Error::invalid("window: cannot stand beside from and to; send one or the other."));
        }
        let to = to.unwrap_or(now);
        if from >= to {
            return Err(Error::invalid("from: must be before to, which is now when it is not given."));
        }
        let short = to.since(from) <= LONGEST_BY_HOUR;
        let usual = if short { Granularity::Hour } else { Granularity::Day };
        let granularity = granularity.unwrap_or(usual);
        let last = granularity.bucket(Timestamp::from_millis(to.as_millis() - 1));
        let range =
            Self { from: Some(granularity.bucket(from)), to: last.plus(granularity.width()), granularity };
        range.check()
    }

    fn of_window(window: Window, granularity: Option<Granularity>, now: Timestamp) -> Result<Self> {
        let granularity = granularity.unwrap_or(Granularity::Day);
        let to = granularity.bucket(now).plus(granularity.width());
        let days = match window {
            Window::Week => 7,
            Window::Month => 30,
            Window::All if granularity == Granularity::Hour => {
                return Err(Error::invalid(
                    "granularity: hour goes with at most 31 days; send from and to, or granularity=day.",
                ));
            }
            Window::All => return Ok(Self { from: None, to, granularity }),
        };
        Ok(Self { from: Some(to.minus(DAY * days)), to, granularity })
    }

    fn check(self) -> Result<Self> {
        let Some(from) = self.from else { return Ok(self) };
        let points = self.to.since(from).as_millis() / self.granularity.width().as_millis();
        if points > self.granularity.most() as u128 {
            let most = self.granularity.most();
            return Err(Error::invalid(match self.granularity {
                Granularity::Hour => format!(
                    "granularity: from and to are {points} hours apart, at most {most} are told; send \
                     granularity=day, or a shorter range."
                ),
                Granularity::Day => {
                    format!(
                        "from: is {points} days before to, at most {most} are told; send a shorter range."
                    )
                }
            }));
        }
        Ok(self)
    }

    /// The width of its buckets.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// The beginning of its first bucket; none for the first there is.
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// The end of its last bucket.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    /// The last bucket.
    pub fn last(&self) -> Timestamp {
        self.to.minus(self.granularity.width())
    }

    /// A range over all there is begins with this bucket, or with the last when there is none.
    pub fn begin_with(&mut self, first: Option<Timestamp>) {
        let last = self.last();
        self.from.get_or_insert(first.unwrap_or(last).min(last));
    }

    /// The beginning of each bucket.
    pub fn buckets(&self) -> Result<Vec<Timestamp>> {
        self.check()?;
        let next = |at: &Timestamp| Some(at.plus(self.granularity.width()));
        let all = std::iter::successors(self.from, next);
        Ok(all.take_while(|at| *at < self.to).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn asked(
        window: Option<Window>,
        from: Option<&str>,
        to: Option<&str>,
        granularity: Option<Granularity>,
    ) -> std::result::Result<(String, String, usize), String> {
        let now = at("2026-11-25T08:30:00Z");
        let range = Range::asked(window, (from.map(at), to.map(at)), granularity, now);
        let range = range.map_err(|error| error.message)?;
        let count = range.buckets().unwrap().len();
        Ok((range.from().unwrap().to_string(), range.to().to_string(), count))
    }

    #[test]
    fn windows_end_with_the_bucket_that_is_now() {
        let told = |from: &str, to: &str, count| Ok((from.to_owned(), to.to_owned(), count));
        let (hour, day) = (Some(Granularity::Hour), Some(Granularity::Day));
        let tomorrow = "2026-11-26T00:00:00.000Z";
        assert_eq!(asked(None, None, None, None), told("2026-10-27T00:00:00.000Z", tomorrow, 30));
        assert_eq!(asked(Some(Window::Week), None, None, day), told("2026-11-19T00:00:00.000Z", tomorrow, 7));
        assert_eq!(
            asked(Some(Window::Week), None, None, hour),
            told("2026-11-18T09:00:00.000Z", "2026-11-25T09:00:00.000Z", 168)
        );
        assert_eq!(
            asked(None, Some("2026-11-25T06:10:00Z"), None, None),
            told("2026-11-25T06:00:00.000Z", "2026-11-25T09:00:00.000Z", 3)
        );
        assert_eq!(
            asked(None, Some("2026-11-01T23:59:00+00:00"), Some("2026-11-05T00:00:00Z"), None),
            told("2026-11-01T00:00:00.000Z", "2026-11-05T00:00:00.000Z", 4)
        );
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused_by_name() {
        let (hour, month) = (Some(Granularity::Hour), Some(Window::Month));
        let old = Some("2020-01-01T00:00:00Z");
        for (window, from, to, granularity, named) in [
            (month, old, None, None, "window"),
            (None, None, old, None, "to"),
            (None, Some("2027-01-01T00:00:00Z"), None, None, "from"),
            (None, old, old, None, "from"),
            (None, Some("2026-10-01T00:00:00Z"), None, hour, "granularity"),
            (Some(Window::All), None, None, hour, "granularity"),
            (None, Some("1990-01-01T00:00:00Z"), None, None, "from"),
        ] {
            let message = asked(window, from, to, granularity).unwrap_err();
            assert!(message.starts_with(&format!("{named}: ")), "{message}");
        }
    }

    #[test]
    fn buckets_are_read_as_they_are_named() {
        let time = at("2026-02-28T23:59:59.999Z");
        for (granularity, name) in [(Granularity::Hour, "2026-02-28T23"), (Granularity::Day, "2026-02-28")] {
            let bucket = granularity.bucket(time);
            assert_eq!(granularity.name(bucket), name);
            assert_eq!(granularity.parse(name), Some(bucket));
            for wrong in ["", "2026-02-28T24", "2026-02-30", "2026-02-28T", "2026-02-28T1x"] {
                assert_eq!(granularity.parse(wrong), None, "{wrong}");
            }
        }
    }
}
