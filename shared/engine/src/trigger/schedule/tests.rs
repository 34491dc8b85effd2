use proptest::prelude::*;

use super::*;

fn at(time: &str) -> Timestamp {
    time.parse::<Timestamp>().unwrap()
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::parse(cron, zone).unwrap()
}

/// The due times after `from`, as the clock in the zone shows them.
fn dues(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(cron, zone);
    let mut time = at(from);
    let mut shown = Vec::new();
    for _ in 0..count {
        time = schedule.next_after(time).unwrap();
        let moment = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap();
        shown.push(
            schedule.zone.to_datetime(moment).strftime("%m-%d %H:%M ").to_string()
                + &schedule.zone.to_offset(moment).to_string(),
        );
    }
    shown
}

fn refused(cron: &str, zone: &str) -> String {
    Schedule::parse(cron, zone).unwrap_err().message
}

#[test]
fn a_schedule_is_due_when_its_fields_match() {
    for (cron, expected) in [
        ("*/15 * * * *", ["2026-09-21T14:15:00Z", "2026-09-21T14:30:00Z"]),
        ("0 9 * * MON-FRI", ["2026-09-22T09:00:00Z", "2026-09-23T09:00:00Z"]),
        ("0 9 * * sat,sun", ["2026-09-26T09:00:00Z", "2026-09-27T09:00:00Z"]),
        ("0 9 * * 7", ["2026-09-27T09:00:00Z", "2026-10-04T09:00:00Z"]),
        ("0 9 * * 5-7", ["2026-09-25T09:00:00Z", "2026-09-26T09:00:00Z"]),
        ("30 4 1,15 * *", ["2026-10-01T04:30:00Z", "2026-10-15T04:30:00Z"]),
        ("0 0 1 JAN-MAR/2 *", ["2027-01-01T00:00:00Z", "2027-03-01T00:00:00Z"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("0 0 L * *", ["2026-09-30T00:00:00Z", "2026-10-31T00:00:00Z"]),
        ("0 0 * * FRI#2", ["2026-10-09T00:00:00Z", "2026-11-13T00:00:00Z"]),
        ("0 0 ? * 1", ["2026-09-28T00:00:00Z", "2026-10-05T00:00:00Z"]),
        // Both day fields restricted: either suffices.
        ("0 0 1 * MON", ["2026-09-28T00:00:00Z", "2026-10-01T00:00:00Z"]),
        ("59 23 31 12 *", ["2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"]),
    ] {
        let schedule = schedule(cron, "UTC");
        let first = schedule.next_after(at("2026-09-21T14:13:20Z")).unwrap();
        assert_eq!([first, schedule.next_after(first).unwrap()], expected.map(at), "{cron}");
    }
}

#[test]
fn a_due_time_is_later_to_the_millisecond() {
    let daily = schedule("0 9 * * *", "UTC");
    let nine = at("2026-09-21T09:00:00Z");
    assert_eq!(daily.next_after(at("2026-09-21T08:59:59.999Z")), Some(nine));
    assert_eq!(daily.next_after(nine), Some(at("2026-09-22T09:00:00Z")));
    assert_eq!(daily.next_after(at("2026-09-21T09:00:00.001Z")), Some(at("2026-09-22T09:00:00Z")));
}

#[test]
fn a_time_that_the_clock_skips_fires_once_after_the_gap() {
    // Berlin, 29 March 2026: 02:00 to 03:00 does not exist.
    let from = "2026-03-28T12:00:00Z";
    let berlin = |cron| dues(cron, "Europe/Berlin", from, 3);
    assert_eq!(berlin("30 2 * * *"), ["03-29 03:00 +02", "03-30 02:30 +02", "03-31 02:30 +02"]);
    assert_eq!(berlin("0 2 * * *"), ["03-29 03:00 +02", "03-30 02:00 +02", "03-31 02:00 +02"]);
    assert_eq!(berlin("0 3 * * *"), ["03-29 03:00 +02", "03-30 03:00 +02", "03-31 03:00 +02"]);
    // Several skipped times, and the one that is there anyway, come to one moment.
    assert_eq!(berlin("0,20,40 2,3 * * *"), ["03-29 03:00 +02", "03-29 03:20 +02", "03-29 03:40 +02"]);
    // New York, 8 March 2026.
    assert_eq!(
        dues("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["03-08 03:00 -04", "03-09 02:15 -04"]
    );
    // Lord Howe, 4 October 2026: 02:00 to 02:30 does not exist.
    assert_eq!(
        dues("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["10-04 02:30 +11", "10-05 02:15 +11"]
    );
    // Samoa had no 30 December 2011.
    assert_eq!(
        dues("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", 3),
        ["12-31 00:00 +14", "12-31 12:00 +14", "01-01 12:00 +14"]
    );
    // Santiago sets its clock at midnight: the day begins at one.
    assert_eq!(
        dues("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", 2),
        ["09-06 01:00 -03", "09-07 00:00 -03"]
    );
}

#[test]
fn a_time_that_the_clock_shows_twice_fires_the_first_time() {
    // Berlin, 25 October 2026: 02:00 to 03:00 is there twice.
    let berlin = |cron, count| dues(cron, "Europe/Berlin", "2026-10-24T12:00:00Z", count);
    assert_eq!(berlin("30 2 * * *", 2), ["10-25 02:30 +02", "10-26 02:30 +01"]);
    assert_eq!(
        berlin("0,30 2,3 * * *", 5),
        ["10-25 02:00 +02", "10-25 02:30 +02", "10-25 03:00 +01", "10-25 03:30 +01", "10-26 02:00 +01"]
    );
    // Asked between the two halves and in the second.
    for from in ["2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:15:00Z"] {
        assert_eq!(dues("30 2 * * *", "Europe/Berlin", from, 1), ["10-26 02:30 +01"], "{from}");
    }
    assert_eq!(
        dues("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["11-01 01:30 -04", "11-02 01:30 -05"]
    );
    // Lord Howe, 5 April 2026: 01:30 to 02:00 is there twice.
    assert_eq!(
        dues("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2),
        ["04-05 01:45 +11", "04-06 01:45 +10:30"]
    );
}

#[test]
fn intervals_go_by_real_time() {
    let berlin = |cron, from, count| dues(cron, "Europe/Berlin", from, count);
    assert_eq!(
        berlin("*/30 * * * *", "2026-03-29T00:15:00Z", 3),
        ["03-29 01:30 +01", "03-29 03:00 +02", "03-29 03:30 +02"]
    );
    assert_eq!(
        berlin("*/30 * * * *", "2026-10-24T23:45:00Z", 6),
        [
            "10-25 02:00 +02",
            "10-25 02:30 +02",
            "10-25 02:00 +01",
            "10-25 02:30 +01",
            "10-25 03:00 +01",
            "10-25 03:30 +01"
        ]
    );
    for hourly in ["15 * * * *", "15 */1 * * *", "15 0-23 * * *"] {
        assert_eq!(
            berlin(hourly, "2026-10-24T23:50:00Z", 3),
            ["10-25 02:15 +02", "10-25 02:15 +01", "10-25 03:15 +01"],
            "{hourly}"
        );
        assert_eq!(
            berlin(hourly, "2026-03-29T00:10:00Z", 2),
            ["03-29 01:15 +01", "03-29 03:15 +02"],
            "{hourly}"
        );
    }
    assert_eq!(
        dues("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:30:00Z", 5),
        [
            "04-05 01:45 +11",
            "04-05 01:30 +10:30",
            "04-05 01:45 +10:30",
            "04-05 02:00 +10:30",
            "04-05 02:15 +10:30"
        ]
    );
}

#[test]
fn zones_are_found_by_their_names_in_whatever_case() {
    assert_eq!(schedule("* * * * *", "europe/berlin").timezone(), "Europe/Berlin");
    assert_eq!(schedule("* * * * *", "utc").timezone(), "UTC");
    assert_eq!(schedule("  0  9 *\t* * ", "Asia/Kolkata").cron(), "0 9 * * *");
    for (wrong, hint) in [
        ("Berlin", "did you mean \"Europe/Berlin\""),
        ("new york", "did you mean \"America/New_York\""),
        ("Europe/Berln", "did you mean \"Europe/Berlin\""),
        ("UTC+2", "send an IANA name"),
        ("", "send an IANA name"),
        ("Etc/Unknown", "send an IANA name"),
        ("../../etc/passwd", "send an IANA name"),
    ] {
        let message = refused("* * * * *", wrong);
        assert!(
            message.starts_with("timezone: there is no time zone") && message.contains(hint),
            "{message}"
        );
    }
    refused("* * * * *", &"x".repeat(10_000));
}

#[test]
fn what_is_not_five_fields_is_refused_and_told_why() {
    for (wrong, part) in [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("0 * * * * *", "leave out the seconds"),
        ("0 0 * * * * 2027", "leave out the seconds"),
        ("@daily", "\"0 0 * * *\""),
        ("60 * * * *", "the minute field \"60\""),
        ("* 24 * * *", "the hour field \"24\""),
        ("* * 0 * *", "the day-of-month field \"0\""),
        ("* * 32 * *", "the day-of-month field \"32\""),
        ("* * * 13 *", "the month field \"13\""),
        ("* * * MON *", "the month field \"MON\""),
        ("* * * * 8", "the day-of-week field \"8\""),
        ("* * * * MONDAY", "the day-of-week field \"MONDAY\""),
        ("JAN * * * *", "the minute field \"JAN\""),
        ("*/0 * * * *", "the minute field \"*/0\""),
        ("5/15 * * * *", "the minute field \"5/15\""),
        ("30-10 * * * *", "the minute field \"30-10\""),
        ("1,,2 * * * *", "a part without a value"),
        ("1- * * * *", "a part without a value"),
        ("** * * * *", "the minute field \"**\""),
        ("* * * * +MON", "the day-of-week field \"+MON\""),
        ("-1 * * * *", "the minute field \"-1\""),
        ("1.5 * * * *", "the minute field \"1.5\""),
        ("0 0 * * 1#6", "the day-of-week field \"1#6\""),
        ("é * * * *", "the minute field \"é\""),
    ] {
        let message = refused(wrong, "UTC");
        assert!(message.starts_with("cron: ") && message.contains(part), "{wrong:?}: {message}");
    }
    assert!(refused(&"1,".repeat(5_000), "UTC").contains("at most"));
}

#[test]
fn what_never_fires_is_refused() {
    for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 * * L"] {
        assert!(refused(never, "UTC").contains("never fires"), "{never}");
    }
    schedule("0 0 31 4 MON", "UTC");
}

#[test]
fn the_newest_due_time_is_found_without_walking_through_all() {
    let minutely = schedule("* * * * *", "Europe/Berlin");
    let first = at("2025-09-21T14:13:00Z");
    let began = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(minutely.newest_until(first, at("2026-09-21T14:13:20Z")), at("2026-09-21T14:13:00Z"));
    }
    // Half a million minutes lie between; walking through them takes seconds.
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    let daily = schedule("0 9 * * *", "UTC");
    let first = at("2026-01-01T09:00:00Z");
    assert_eq!(daily.newest_until(first, first), first);
    assert_eq!(daily.newest_until(first, at("2026-01-02T08:59:59.999Z")), first);
    assert_eq!(daily.newest_until(first, at("2026-01-02T09:00:00Z")), at("2026-01-02T09:00:00Z"));
}

const CRONS: [&str; 12] = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 * * * *",
    "0,30 1-3 * * *",
    "15 0 * * SUN",
    "45 1 L * *",
    "0 0 1 */3 *",
    "10 2 1-7 * MON",
    "*/20 2 * * *",
    "0 12 29 2 *",
    "59 23 * JAN,JUN SAT#1",
];

const PLACES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Santiago",
    "Asia/Kathmandu",
    "Africa/Casablanca",
];

proptest! {
    #[test]
    fn next_is_later_matches_and_misses_nothing(
        cron in proptest::sample::select(&CRONS[..]),
        zone in proptest::sample::select(&PLACES[..]),
        from in 1_262_304_000_000_i64..2_208_988_800_000,
    ) {
        let schedule = schedule(cron, zone);
        let from = Timestamp::from_millis(from);
        let next = schedule.next_after(from).unwrap();
        prop_assert!(next > from);
        // Whatever lies between leads to the same.
        let between = Timestamp::from_millis(i64::midpoint(from.as_millis(), next.as_millis() - 1));
        prop_assert_eq!(schedule.next_after(between), Some(next));
        let moment = jiff::Timestamp::from_millisecond(next.as_millis()).unwrap();
        let wall = schedule.zone.to_datetime(moment);
        let matches = schedule.cron.is_time_matching(&Wall(wall)).unwrap();
        // Only a fixed time that the clock skipped is due when it does not match: at the end of the gap.
        let just_before = moment.checked_sub(SignedDuration::from_secs(1)).unwrap();
        let shift = i64::from(schedule.zone.to_offset(moment).seconds())
            - i64::from(schedule.zone.to_offset(just_before).seconds());
        prop_assert!(matches || (!schedule.by_real_time && shift > 0), "{} {}", wall, shift);
        if schedule.by_real_time && next.since(from) < std::time::Duration::from_secs(3 * 86_400) {
            // Minute by minute: none between matches.
            let mut minute = from.as_millis().div_euclid(60_000) + 1;
            while minute * 60_000 < next.as_millis() {
                let moment = jiff::Timestamp::from_millisecond(minute * 60_000).unwrap();
                let wall = Wall(schedule.zone.to_datetime(moment));
                prop_assert!(!schedule.cron.is_time_matching(&wall).unwrap(), "{:?}", wall);
                minute += 1;
            }
        }
    }

    #[test]
    fn the_newest_until_is_the_last_of_a_walk(
        cron in proptest::sample::select(&CRONS[..]),
        zone in proptest::sample::select(&PLACES[..]),
        from in 1_700_000_000_000_i64..1_800_000_000_000,
        steps in 0_usize..60,
        beyond in 0.0..1.0,
    ) {
        let schedule = schedule(cron, zone);
        let first = schedule.next_after(Timestamp::from_millis(from)).unwrap();
        let mut newest = first;
        for _ in 0..steps {
            newest = schedule.next_after(newest).unwrap();
        }
        let next = schedule.next_after(newest).unwrap();
        let room = (next.as_millis() - newest.as_millis() - 1) as f64;
        let until = Timestamp::from_millis(newest.as_millis() + (room * beyond) as i64);
        prop_assert_eq!(schedule.newest_until(first, until), newest);
    }

    #[test]
    fn whatever_is_written_is_read_or_refused(text in "[0-9A-Za-z*/,#?LW@+ -]{0,40}", zone in "[A-Za-z/_+0-9]{0,20}") {
        if let Ok(schedule) = Schedule::parse(&text, &zone) {
            prop_assert!(schedule.next_after(Timestamp::from_millis(1_790_000_000_000)).is_some());
        }
        if let Ok(schedule) = Schedule::parse(&text, "UTC") {
            prop_assert_eq!(schedule.cron().split(' ').count(), 5);
        }
    }
}
