//! Months counted from a day: the time for which included credits are granted. Counted from the first day each time,
//! so that one that began on the 31st ends on the last day of a shorter month and on the 31st again after it.

use jiff::{Span, Timestamp as Instant, tz::TimeZone};
use serde::{Deserialize, Serialize};

use types::clock::Timestamp;

/// From a time until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Period {
    /// The month counted from `anchor` that `now` is in; the first one when it is before all of them.
    pub fn month_at(anchor: Timestamp, now: Timestamp) -> Self {
        // No month is longer than 31 days, so this is never beyond.
        let mut nth = i32::try_from(now.since(anchor).as_secs() / (31 * 24 * 3600)).unwrap_or(0);
        while months_after(anchor, nth + 1) <= now {
            nth += 1;
        }
        Self { start: months_after(anchor, nth), end: months_after(anchor, nth + 1) }
    }

    /// The month of this period that `now` is in, the last one when it is after all of them.
    pub fn month_within(self, now: Timestamp) -> Self {
        let last = self.end.minus(std::time::Duration::from_millis(1));
        let month = Self::month_at(self.start, now.min(last));
        Self { start: month.start, end: month.end.min(self.end) }
    }
}

/// The same day and time so many months later, or the last day of a month that has no such day.
fn months_after(anchor: Timestamp, months: i32) -> Timestamp {
    let later = Instant::from_millisecond(anchor.as_millis())
        .and_then(|at| at.to_zoned_datetime(TimeZone::UTC).checked_add(Span::new().try_months(months)?));
    // Out of the calendar's range: never.
    later.map_or(Timestamp::from_millis(i64::MAX), |at| {
        Timestamp::from_millis(at.timestamp().as_millisecond())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn months_are_counted_from_the_first_day() {
        let anchor = at("2026-01-31T10:00:00Z");
        for (now, start, end) in [
            ("2025-12-01T00:00:00Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("2026-02-28T09:59:59Z", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"),
            ("2028-02-29T10:00:00Z", "2028-02-29T10:00:00Z", "2028-03-31T10:00:00Z"),
        ] {
            assert_eq!(Period::month_at(anchor, at(now)), Period { start: at(start), end: at(end) }, "{now}");
        }
    }

    #[test]
    fn a_year_has_twelve_months_and_nothing_behind_them() {
        let year = Period { start: at("2026-01-31T10:00:00Z"), end: at("2027-01-31T10:00:00Z") };
        let (mut now, mut months) = (year.start, 0);
        while now < year.end {
            let month = year.month_within(now);
            assert_eq!(month.start, now);
            now = month.end;
            months += 1;
        }
        assert_eq!((months, now), (12, year.end));
        assert_eq!(year.month_within(at("2028-01-01T00:00:00Z")).end, year.end);
    }

    #[test]
    fn a_period_that_is_shorter_than_a_month_is_one() {
        let period = Period { start: at("2026-02-01T00:00:00Z"), end: at("2026-02-15T00:00:00Z") };
        assert_eq!(period.month_within(at("2026-02-10T00:00:00Z")), period);
    }
}
