//! When a cron expression is due in a time zone.
//!
//! The calendar is searched by `croner`, which sees wall clock times without a zone. What a change of the clock
//! does to them is decided here, as vixie cron does it and `docs/decisions` explains: a schedule with fixed times
//! of day fires once for each of them, also for those that the clock skips (at the moment after the gap) or
//! shows twice (at the first); a schedule with `*` for its minutes or hours goes by real time.

use std::cmp::Ordering;
use std::sync::LazyLock;

use croner::errors::CronError;
use croner::{CivilDateTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use super::fields;
use types::clock::Timestamp;
use types::suggest::{closest, quote};
use types::{Error, Result};

/// The zones that are built into the program. A machine's own could differ from one function to the next.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// No zone's name is longer.
const LONGEST_ZONE: usize = 64;

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: TimeZone,
    zone_name: String,
    by_real_time: bool,
}

impl Schedule {
    /// Reads a cron expression of five fields and the name of a time zone.
    ///
    /// # Errors
    /// Invalid, naming `cron` or `timezone` and what would be right.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self> {
        let text = fields::check(cron)?;
        let read = fields::parser().parse(&text).map_err(|error| Error::invalid(format!("cron: {error}")))?;
        let (zone, zone_name) = zone(timezone)?;
        let by_real_time = goes_by_real_time(&text, &read);
        let schedule = Self { text, cron: read, zone, zone_name, by_real_time };
        // From a day that every calendar has before it: the answer is about the expression, not about today.
        if schedule.next_wall_clock(Wall(DateTime::constant(2000, 1, 1, 0, 0, 0, 0)), true).is_none() {
            return Err(Error::invalid(format!(
                "cron: {:?} never fires: no month that it names has such a day.",
                quote(&schedule.text)
            )));
        }
        Ok(schedule)
    }

    /// The expression, with single spaces.
    pub fn cron(&self) -> &str {
        &self.text
    }

    /// The zone's name as the time zone database spells it.
    pub fn timezone(&self) -> &str {
        &self.zone_name
    }

    /// The first due time after `time`; none when the calendar has no more.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
        let due = if self.by_real_time { self.next_by_real_time(time) } else { self.next_fixed(time) };
        due.map(|due| Timestamp::from_millis(due.as_millisecond()))
    }

    /// The newest due time that is not after `until`, given that `first` is one. It halves the time between, so
    /// that a minute's schedule that stood still for a year takes some twenty looks, not half a million.
    pub fn newest_until(&self, first: Timestamp, until: Timestamp) -> Timestamp {
        let (mut newest, mut end) = (first, until);
        while let Some(next) = self.next_after(newest).filter(|next| *next <= end) {
            let middle = Timestamp::from_millis(i64::midpoint(next.as_millis(), end.as_millis()));
            newest = next;
            // Due times in the later half replace `next`; when there are none, that half is done with.
            match self.next_after(middle).filter(|due| *due <= end) {
                Some(due) => newest = due,
                None => end = middle,
            }
        }
        newest
    }

    /// Between two changes of the clock, real time and the wall clock run side by side: the schedule is looked
    /// up in one such stretch after the other.
    fn next_by_real_time(&self, time: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let (mut from, mut inclusive) = (time, false);
        loop {
            let offset = self.zone.to_offset(from);
            let wall = self.next_wall_clock(Wall(offset.to_datetime(from)), inclusive)?;
            let due = offset.to_timestamp(wall).ok()?;
            match self.zone.following(from).next().map(|change| change.timestamp()) {
                Some(change) if due >= change => (from, inclusive) = (change, true),
                _ => return Some(due),
            }
        }
    }

    /// Wall clock times in their order come to moments in their order, so the first that lies ahead is next.
    /// Those that do not are in an hour that the clock shows for the second time.
    fn next_fixed(&self, time: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let mut wall = self.zone.to_datetime(time);
        loop {
            wall = self.next_wall_clock(Wall(wall), false)?;
            let due = self.moment_of(wall)?;
            if due > time {
                return Some(due);
            }
        }
    }

    /// When the clock shows this: the first time if twice, and the end of the gap if never.
    fn moment_of(&self, wall: DateTime) -> Option<jiff::Timestamp> {
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                // As if the clock had been set already: a moment before it was.
                let before_the_gap = after.to_timestamp(wall).ok()?;
                self.zone.following(before_the_gap).next().map(|change| change.timestamp())
            }
        }
    }

    fn next_wall_clock(&self, from: Wall, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&from, inclusive).ok().map(|Wall(found)| found)
    }
}

/// Whether a schedule means "every so often" rather than times of day: a `*` for minutes or hours, or all hours
/// by name.
fn goes_by_real_time(text: &str, cron: &Cron) -> bool {
    text.split(' ').take(2).any(|field| field.contains('*'))
        || (0..24).all(|hour| cron.pattern.hour_match(hour).unwrap_or(false))
}

fn zone(name: &str) -> Result<(TimeZone, String)> {
    let found = if name.len() > LONGEST_ZONE { None } else { ZONES.get(name).ok() };
    let named = found.filter(|zone| !zone.is_unknown()).and_then(|zone| {
        let name = zone.iana_name()?.to_owned();
        Some((zone, name))
    });
    named.ok_or_else(|| {
        let hint = match similar_zone(name) {
            Some(similar) => format!("did you mean {similar:?}?"),
            None => "send an IANA name such as \"Europe/Berlin\", or \"UTC\".".to_owned(),
        };
        Error::invalid(format!("timezone: there is no time zone {:?}; {hint}", quote(name)))
    })
}

/// A zone that is spelled much like this, or whose city this is. Whoever writes digits means an offset, which no
/// zone is like.
fn similar_zone(name: &str) -> Option<String> {
    if name.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let names: Vec<String> = ZONES.available().map(|zone| zone.as_str().to_owned()).collect();
    let city = name.trim().replace(' ', "_").to_lowercase();
    let of_city = |zone: &&String| zone.to_lowercase().ends_with(&format!("/{city}"));
    let by_city = if city.is_empty() { None } else { names.iter().find(of_city).cloned() };
    by_city.or_else(|| closest(name, names.iter().map(String::as_str)).map(str::to_owned))
}

/// A wall clock time as `croner` searches it: without a zone, so none of its times is skipped or shown twice.
#[derive(Debug, Clone, Copy)]
struct Wall(DateTime);

impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        let (date, time) = (self.0.date(), self.0.time());
        let part = |part: i8| u32::from(part.unsigned_abs());
        CivilDateTime::new(
            croner::CivilDate::from_parts_unchecked(date.year().into(), part(date.month()), part(date.day())),
            croner::CivilTime::from_parts_unchecked(
                part(time.hour()),
                part(time.minute()),
                part(time.second()),
            ),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.0.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day) = (part(civil.month())?, part(civil.day())?);
        let (hour, minute, second) = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        DateTime::new(year, month, day, hour, minute, second, 0)
            .map(|time| Resolution::Single(Self(time)))
            .map_err(|_| CronError::InvalidDate)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests;
