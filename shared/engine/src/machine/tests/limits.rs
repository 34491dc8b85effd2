//! Bounds: how many are asked at a time, how large a loop may become, how long a run may stand still.

use super::*;

fn people(count: usize) -> Machine {
    let steps = (0..count).map(|at| person(&format!("ask{at}"), &[], json!({}))).collect();
    start(&plan(&Value::Array(steps)), &[], &[])
}

/// Asks whoever is next, and says how many are asked then.
fn ask_all(machine: &mut Machine) -> usize {
    while let Some(Work::Begin(slot)) = machine.next_work(at(1)) {
        let input = JsonText::from(json!({ "task_type": "approval" }));
        machine.apply(Command::Await { slot, on: Wait::Person, input }, at(1)).unwrap();
    }
    machine.waiting_for_people().count()
}

#[test]
fn at_most_fifty_tasks_of_a_run_are_open_and_further_ones_are_put_when_others_are_answered() {
    let mut machine = people(53);
    assert_eq!(ask_all(&mut machine), 50);
    assert_eq!(machine.count_ready(at(1)), 0);
    assert_eq!(ask(&mut machine, "ask52", at(1)), Err(Refusal::NotYours), "another worker did not know");
    assert_eq!(status(&machine, "ask52"), "pending");
    for answered in ["ask0", "ask1", "ask2"] {
        let slot = slot(&machine, answered);
        answer(&mut machine, slot, true, at(2)).unwrap();
        assert_eq!(ask_all(&mut machine), 50);
    }
    assert_eq!(machine.count_ready(at(2)), 0, "all are asked");
}

#[test]
fn skipping_a_task_needs_no_room() {
    let mut machine = people(51);
    ask_all(&mut machine);
    let last = slot(&machine, "ask50");
    machine.apply(Command::Skip { slot: last, reason: SkipReason::ConditionFalse }, at(2)).unwrap();
    assert_eq!(skip_reason(&machine, "ask50"), Some(SkipReason::ConditionFalse));
}

#[test]
fn a_commit_never_has_more_changes_of_tasks_than_a_transaction_takes() {
    let body = json!([step("do", &[], json!({}))]);
    let loops = (0..100).map(|at| each(&format!("each{at}"), "human_review", body.clone(), json!({})));
    let loops = loops.enumerate().map(|(at, mut step)| {
        step["for_each_body_steps"][0]["id"] = json!(format!("do{at}"));
        step
    });
    let mut machine = start(&plan(&loops.collect()), &[], &[]);
    for number in 0..100 {
        let id = format!("each{number}");
        open(&mut machine, &id, 1, at(0));
        let place = inner(&machine, &id, 0, 0);
        execute(&mut machine, place, failure(FailureCode::LuaError), at(1));
    }
    assert_eq!(machine.waiting_for_people().count(), MOST_OPEN, "the reviews that are put");
    let reviews: Vec<Slot> = machine.waiting_for_people().collect();
    answer(&mut machine, reviews[0], false, at(2)).unwrap();
    assert_eq!(machine.waiting_for_people().count(), MOST_OPEN - 1, "written with those taken back");
    assert_eq!(machine.tasks().len(), MOST_OPEN);
    machine.written();
    answer(&mut machine, reviews[1], false, at(3)).unwrap();
    assert_eq!(machine.waiting_for_people().count(), MOST_OPEN - 1, "one taken back, one put");
    machine.apply(Command::Stop(StopMode::Immediate), at(4)).unwrap();
    assert!(machine.tasks().len() <= MOST_OPEN, "{} changes", machine.tasks().len());
}

#[test]
fn a_loop_whose_outputs_grow_too_large_together_fails() {
    let two = json!([step("one", &[], json!({})), step("two", &[], json!({ "continue_on_error": true }))]);
    let steps = json!([each("each", "continue_on_error", two, json!({ "retry_count": 3 }))]);
    let mut machine = start(&plan(&steps), &[], &[]);
    open(&mut machine, "each", 3, at(0));
    let large = || Outcome::Success { result: json!({}).into(), bytes: 500_000 };
    let first = inner(&machine, "each", 0, 0);
    execute(&mut machine, first, large(), at(1));
    execute(&mut machine, first.at_place(1), large(), at(1));
    assert_eq!(machine.run().status, RunStatus::Running, "just below 1 MiB");
    let second = inner(&machine, "each", 1, 0);
    execute(&mut machine, second, large(), at(2));
    assert_eq!(machine.run().status, RunStatus::Failed);
    assert_eq!(failure_code(&machine), Some(FailureCode::ResultTooLarge), "whatever the policy, and at once");
}

/// A run of two steps whose last step forward was at 1000, and how long it may stand still after that.
fn standing_still() -> (Machine, i64) {
    let steps = json!([step("a", &[], json!({ "timeout_s": 30 })), step("b", &["a"], json!({}))]);
    let mut machine = start(&plan(&steps), &[], &[]);
    let a = slot(&machine, "a");
    execute(&mut machine, a, success(), at(1000));
    (machine, 1000 + 30 + 300 + 900)
}

#[test]
fn a_run_stalls_when_what_it_has_to_do_cannot_be_begun_for_longer_than_anything_may_take() {
    let (mut machine, allowed) = standing_still();
    machine.apply(Command::GiveUp, at(allowed)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Running, "the last step forward counts");
    machine.apply(Command::GiveUp, at(allowed + 1)).unwrap();
    assert_eq!(failure_code(&machine), Some(FailureCode::RunStalledOrTimedOut));
    assert_eq!((status(&machine, "a"), skip_reason(&machine, "b")), ("completed", Some(SkipReason::Blocked)));
    assert_eq!(reasons(&machine).last(), Some(&"stalled"));
}

#[test]
fn a_run_that_nobody_looked_at_for_hours_goes_on_and_after_a_day_it_has_stalled() {
    let (mut machine, allowed) = standing_still();
    reap(&mut machine, at(allowed + 24 * 3600));
    assert_eq!(machine.run().status, RunStatus::Running, "what was down is back and does what is to be done");
    reap(&mut machine, at(allowed + 24 * 3600 + 1));
    assert_eq!(failure_code(&machine), Some(FailureCode::RunStalledOrTimedOut));
    let (mut machine, allowed) = standing_still();
    let later = at(allowed + 30 * 24 * 3600);
    machine.apply(Command::Reap { dead_before: Some(later), in_order: false }, later).unwrap();
    assert_eq!(machine.run().status, RunStatus::Running, "before its process began nobody could look");
}

#[test]
fn giving_up_a_claim_has_to_be_written_although_no_event_tells_it() {
    let mut machine = start(&plan(&json!([step("a", &[], json!({}))])), &[], &[]);
    begin(&mut machine, "a", ME, at(0)).unwrap();
    machine.apply(Command::Pause, at(1)).unwrap();
    machine.written();
    reap(&mut machine, at(14));
    assert!(!machine.has_changed_silently(), "the lease holds");
    reap(&mut machine, at(15));
    assert!(machine.has_changed_silently());
    assert_eq!(machine.deadline(at(15)), None, "then a paused run needs nobody");
}

#[test]
fn whoever_waits_does_not_stall() {
    let mut machine = start(&plan(&json!([person("ask", &[], json!({}))])), &[], &[]);
    ask(&mut machine, "ask", at(0)).unwrap();
    reap(&mut machine, at(10_000_000));
    assert_eq!(status(&machine, "ask"), "waiting", "a person takes the time it takes");
    let mut machine = start(&plan(&json!([step("a", &[], json!({}))])), &[], &[]);
    machine.apply(Command::Pause, at(1)).unwrap();
    reap(&mut machine, at(10_000_000));
    machine.apply(Command::Resume, at(10_000_001)).unwrap();
    reap(&mut machine, at(10_000_002));
    assert_eq!(machine.run().status, RunStatus::Running, "so does a pause");
}

#[test]
fn the_end_of_a_long_wait_is_a_step_forward_however_late_it_is_seen() {
    let steps = json!([
        person("ask", &[], json!({ "timeout_s": 60, "on_timeout": "approve" })),
        step("after", &["ask"], json!({})),
    ]);
    let mut machine = start(&plan(&steps), &[], &[]);
    ask(&mut machine, "ask", at(0)).unwrap();
    reap(&mut machine, at(100_000));
    assert_eq!(machine.run().status, RunStatus::Running, "nothing ran for a day, and then it goes on");
    assert_eq!(first_ready(&machine, at(100_000)), machine.plan().find("after"));
}
