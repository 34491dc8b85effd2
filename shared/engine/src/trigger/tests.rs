use super::*;

fn at(time: &str) -> Timestamp {
    time.parse::<Timestamp>().unwrap()
}

fn trigger(cron: &str, catch_up: CatchUp, due: &str) -> (Pending, Schedule) {
    let schedule = Schedule::parse(cron, "UTC").unwrap();
    (Pending { next_run_at: Some(at(due)), catching_up: false, catch_up }, schedule)
}

/// Every due time that fires at `now`, one after the other, and the next one after them.
fn fires(cron: &str, catch_up: CatchUp, due: &str, now: &str) -> (Vec<Timestamp>, Option<Timestamp>, usize) {
    let (mut record, schedule) = trigger(cron, catch_up, due);
    let (mut fired, mut moves) = (Vec::new(), 0);
    loop {
        match next_move(&record, &schedule, at(now)) {
            Move::Wait => return (fired, record.next_run_at, moves),
            Move::PassOver { to, catching_up } => {
                record.next_run_at = to;
                record.catching_up = catching_up;
            }
            Move::Fire(due) => {
                fired.push(due);
                record.next_run_at = schedule.next_after(due);
                record.catching_up = false;
            }
        }
        moves += 1;
    }
}

#[test]
fn what_is_not_due_waits() {
    let (mut record, schedule) = trigger("0 9 * * *", CatchUp::None, "2026-09-21T09:00:00Z");
    assert_eq!(next_move(&record, &schedule, at("2026-09-21T08:59:59.999Z")), Move::Wait);
    assert_eq!(
        next_move(&record, &schedule, at("2026-09-21T09:00:00Z")),
        Move::Fire(at("2026-09-21T09:00:00Z"))
    );
    record.next_run_at = None;
    assert_eq!(next_move(&record, &schedule, at("2030-01-01T00:00:00Z")), Move::Wait);
}

#[test]
fn within_the_grace_every_due_time_fires() {
    for catch_up in [CatchUp::None, CatchUp::Latest] {
        let (fired, next, _) = fires("* * * * *", catch_up, "2026-09-21T09:00:00Z", "2026-09-21T09:05:00Z");
        assert_eq!(fired.len(), 6, "09:00 is exactly five minutes old");
        assert_eq!(next, Some(at("2026-09-21T09:06:00Z")));
    }
}

#[test]
fn beyond_the_grace_none_passes_over_and_latest_makes_up_for_one() {
    let (due, now) = ("2026-09-20T09:00:00Z", "2026-09-21T12:00:00Z");
    let next = Some(at("2026-09-22T09:00:00Z"));
    assert_eq!(fires("0 9 * * *", CatchUp::None, due, now), (vec![], next, 1));
    let newest = vec![at("2026-09-21T09:00:00Z")];
    assert_eq!(fires("0 9 * * *", CatchUp::Latest, due, now), (newest, next, 2));
    let (fired, _, _) = fires("0 9 * * *", CatchUp::Latest, due, "2026-09-20T09:05:00.001Z");
    assert_eq!(fired, [at(due)], "the only one that was missed");
}

#[test]
fn a_year_without_sweeps_takes_a_handful_of_moves() {
    let (due, now) = ("2025-09-21T09:00:00Z", "2026-09-21T09:00:30Z");
    let within: Vec<Timestamp> =
        (56..60).map(|m| at(&format!("2026-09-21T08:{m}:00Z"))).chain([at("2026-09-21T09:00:00Z")]).collect();
    let next = Some(at("2026-09-21T09:01:00Z"));
    assert_eq!(fires("* * * * *", CatchUp::None, due, now), (within.clone(), next, 6));
    let with_newest = [vec![at("2026-09-21T08:55:00Z")], within].concat();
    assert_eq!(fires("* * * * *", CatchUp::Latest, due, now), (with_newest, next, 7));
}

#[test]
fn what_is_made_up_for_stays_chosen_while_time_passes() {
    let (mut record, schedule) = trigger("* * * * *", CatchUp::Latest, "2026-09-21T09:00:00Z");
    let Move::PassOver { to, catching_up } = next_move(&record, &schedule, at("2026-09-21T10:00:30Z")) else {
        panic!("09:00 is missed at 10:00");
    };
    record.next_run_at = to;
    record.catching_up = catching_up;
    for later in ["2026-09-21T10:01:30Z", "2026-09-22T10:00:00Z"] {
        assert_eq!(next_move(&record, &schedule, at(later)), Move::Fire(at("2026-09-21T09:55:00Z")));
    }
}
