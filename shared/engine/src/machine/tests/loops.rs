//! Loops: which rounds are open, what a failed one leads to, when it is over.

use super::*;

fn body() -> Value {
    json!([step("one", &[], json!({})), step("two", &[], json!({}))])
}

fn opened(steps: &Value, rounds: u32) -> Machine {
    let mut machine = start(&plan(steps), &[], &[]);
    open(&mut machine, "loop", rounds, at(0));
    machine
}

fn of_items(policy: &str, more: Value, items: u32) -> Machine {
    opened(&json!([each("loop", policy, body(), more)]), items)
}

/// The open rounds and the places that they have come to.
fn open_rounds(machine: &Machine) -> Vec<(u32, u16)> {
    let (_, rounds) = machine.rounds(slot(machine, "loop").step).expect("a loop under way");
    rounds.open.iter().map(|(index, round)| (*index, round.place)).collect()
}

fn ends(machine: &mut Machine, round: u32, place: u16, outcome: Outcome, now: i64) {
    let slot = inner(machine, "loop", round, place);
    execute(machine, slot, outcome, at(now));
}

fn broken() -> Outcome {
    failure(FailureCode::LuaError)
}

#[test]
fn as_many_rounds_are_open_as_may_run_side_by_side_and_each_goes_through_the_body_in_order() {
    let mut machine = of_items("fail_fast", json!({ "for_each_max_parallel": 2 }), 4);
    assert_eq!(open_rounds(&machine), [(0, 0), (1, 0)]);
    let skipped = inner(&machine, "loop", 0, 1);
    assert_eq!(begin_at(&mut machine, skipped, at(1)), Err(Refusal::NotYours), "its turn has not come");
    ends(&mut machine, 1, 0, success(), 1);
    assert_eq!(open_rounds(&machine), [(0, 0), (1, 1)]);
    ends(&mut machine, 1, 1, success(), 2);
    assert_eq!(open_rounds(&machine), [(0, 0), (2, 0)], "where one is over the next begins");
    for (round, place) in [(0, 0), (0, 1), (2, 0), (2, 1), (3, 0)] {
        ends(&mut machine, round, place, success(), 3);
    }
    assert_eq!(close(&mut machine, "loop", at(4)), Err(Refusal::NotYours), "one is left");
    ends(&mut machine, 3, 1, success(), 4);
    assert_eq!(machine.next_work(at(4)), Some(Work::Close(slot(&machine, "loop").step)));
    close(&mut machine, "loop", at(5)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Completed);
    assert_eq!(machine.run().usage.steps_executed, 8, "the loop itself executes nothing");
}

#[test]
fn a_list_without_items_and_a_body_without_enabled_steps_are_over_at_once() {
    let machine = of_items("fail_fast", json!({}), 0);
    assert!(matches!(machine.next_work(at(0)), Some(Work::Close(_))));
    let off = json!([step("one", &[], json!({ "enabled": false }))]);
    let machine = opened(&json!([each("loop", "fail_fast", off, json!({}))]), 500);
    assert!(matches!(machine.next_work(at(0)), Some(Work::Close(_))));
    let (_, rounds) = machine.rounds(slot(&machine, "loop").step).unwrap();
    assert_eq!((rounds.succeeded, rounds.next), (500, 500));
}

#[test]
fn a_failed_item_fails_the_step_and_what_runs_beside_it_is_dropped() {
    let mut machine = of_items("fail_fast", json!({ "retry_count": 5 }), 2);
    let other = inner(&machine, "loop", 1, 0);
    begin_at(&mut machine, other, at(1)).unwrap();
    ends(&mut machine, 0, 0, broken(), 2);
    assert_eq!(failure_code(&machine), Some(FailureCode::ForEachFailed), "other attempts would not help");
    assert_eq!(status(&machine, "loop"), "failed");
    assert!(settle_at(&mut machine, other, success(), at(3)).is_err());
}

#[test]
fn failed_items_are_counted_and_the_others_go_on() {
    let mut machine = of_items("continue_on_error", json!({}), 3);
    ends(&mut machine, 1, 0, broken(), 1);
    assert_eq!(open_rounds(&machine), [(0, 0), (2, 0)]);
    for (round, place) in [(0, 0), (0, 1), (2, 0)] {
        ends(&mut machine, round, place, success(), 2);
    }
    ends(&mut machine, 2, 1, broken(), 2);
    let (_, rounds) = machine.rounds(slot(&machine, "loop").step).unwrap();
    assert_eq!((rounds.succeeded, rounds.failed.iter().copied().collect::<Vec<_>>()), (1, vec![1, 2]));
    close(&mut machine, "loop", at(3)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Completed);
}

#[test]
fn a_failed_item_pauses_the_run_and_resuming_tries_it_again_where_it_failed() {
    let mut machine = of_items("pause", json!({}), 2);
    let other = inner(&machine, "loop", 1, 0);
    begin_at(&mut machine, other, at(1)).unwrap();
    ends(&mut machine, 0, 0, success(), 1);
    ends(&mut machine, 0, 1, broken(), 2);
    assert_eq!(machine.run().status, RunStatus::Paused);
    assert_eq!(reasons(&machine).last(), Some(&"for_each_item_failed"));
    settle_at(&mut machine, other, broken(), at(3)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Paused, "what was under way has failed, too");
    assert_eq!(machine.deadline(at(3)), None, "nobody has anything to do");
    machine.apply(Command::Resume, at(4)).unwrap();
    assert_eq!(open_rounds(&machine), [(0, 1), (1, 0)]);
    let (first, second) = (inner(&machine, "loop", 0, 1), other);
    begin_at(&mut machine, first, at(5)).unwrap();
    begin_at(&mut machine, second, at(5)).unwrap();
    assert_eq!((attempt(&machine, first), attempt(&machine, second)), (Some(2), Some(2)));
    settle_at(&mut machine, first, broken(), at(6)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Paused, "and again");
}

#[test]
fn an_item_that_is_tried_again_has_all_its_retries_again() {
    let body = json!([step("one", &[], json!({ "retry_count": 1, "retry_backoff_s": 0 }))]);
    let mut machine = opened(&json!([each("loop", "pause", body, json!({}))]), 1);
    let one = inner(&machine, "loop", 0, 0);
    let slow = || failure(FailureCode::LuaTimeout);
    execute(&mut machine, one, slow(), at(1));
    assert_eq!(attempt(&machine, one), Some(2), "queued");
    execute(&mut machine, one, slow(), at(2));
    assert_eq!(machine.run().status, RunStatus::Paused);
    machine.apply(Command::Resume, at(3)).unwrap();
    execute(&mut machine, one, slow(), at(4));
    assert_eq!((machine.run().status, attempt(&machine, one)), (RunStatus::Running, Some(4)));
    execute(&mut machine, one, slow(), at(5));
    assert_eq!(machine.run().status, RunStatus::Paused);
}

#[test]
fn people_review_one_failed_item_of_a_loop_at_a_time() {
    let mut machine = of_items("human_review", json!({}), 3);
    for round in [2, 0, 1] {
        ends(&mut machine, round, 0, broken(), 1);
    }
    let reviews = |machine: &Machine| machine.waiting_for_people().collect::<Vec<_>>();
    let (first, second) = (inner(&machine, "loop", 2, 0), inner(&machine, "loop", 0, 0));
    assert_eq!(reviews(&machine), [first], "the one that failed first");
    let Some(TaskChange::Opened(task)) = machine.tasks().get(&first) else { panic!("it is put") };
    assert_eq!((task.task_id.as_str(), task.task_type.as_str()), ("loop:2", REVIEW));
    assert_eq!((&task.payload["index"], &task.payload["step_id"]), (&json!(2), &json!("one")));
    assert_eq!(machine.run().status, RunStatus::Running);
    assert_eq!(answer(&mut machine, second, true, at(2)), Err(Refusal::NotYours), "nobody was asked that");

    answer(&mut machine, first, true, at(2)).unwrap();
    assert_eq!(reviews(&machine), [second], "then the next one");
    begin_at(&mut machine, first, at(3)).unwrap();
    assert_eq!(attempt(&machine, first), Some(2), "approved: tried again where it failed");
    settle_at(&mut machine, first, success(), at(4)).unwrap();
    execute(&mut machine, first.at_place(1), success(), at(4));

    answer(&mut machine, second, false, at(5)).unwrap();
    let third = inner(&machine, "loop", 1, 0);
    assert_eq!(reviews(&machine), [third]);
    answer(&mut machine, third, false, at(6)).unwrap();
    let (_, rounds) = machine.rounds(first.step).unwrap();
    assert_eq!((rounds.succeeded, rounds.failed.len()), (1, 2), "rejected: left out");
    close(&mut machine, "loop", at(7)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Completed, "a no to an item is none to the loop");
    assert!(matches!(state(&machine, "loop"), StepState::Completed { rejected: false, .. }));
}

#[test]
fn an_item_that_takes_too_long_fails_whatever_its_steps_say() {
    let body = json!([step("one", &[], json!({ "continue_on_error": true, "retry_count": 3 }))]);
    let more = json!({ "for_each_item_timeout_s": 30 });
    let mut machine = opened(&json!([each("loop", "continue_on_error", body, more)]), 2);
    let (one, other) = (inner(&machine, "loop", 0, 0), inner(&machine, "loop", 1, 0));
    begin_at(&mut machine, one, at(10)).unwrap();
    assert_eq!(machine.next_change(), Some(at(40)), "its time runs from its first step on");
    reap(&mut machine, at(39));
    begin_at(&mut machine, other, at(39)).unwrap();
    reap(&mut machine, at(40));
    assert_eq!(open_rounds(&machine), [(1, 0)]);
    assert!(settle_at(&mut machine, one, success(), at(41)).is_err(), "too late");
    let at_failure = one.at_place(Inner::FAILURE);
    assert_eq!(machine.page().results[&at_failure].to_value()["code"], json!("STEP_TIMEOUT"));
}

#[test]
fn a_held_item_has_time_and_its_next_try_has_all_of_it() {
    let mut machine = of_items("human_review", json!({ "for_each_item_timeout_s": 30 }), 1);
    let one = inner(&machine, "loop", 0, 0);
    begin_at(&mut machine, one, at(0)).unwrap();
    reap(&mut machine, at(30));
    assert_eq!(machine.waiting_for_people().collect::<Vec<_>>(), [one]);
    reap(&mut machine, at(500));
    answer(&mut machine, one, true, at(501)).unwrap();
    begin_at(&mut machine, one, at(510)).unwrap();
    assert_eq!(attempt(&machine, one), Some(2));
    assert_eq!(machine.next_change(), Some(at(540)));
}

#[test]
fn a_loop_that_takes_too_long_begins_anew_as_often_as_it_may() {
    let more = json!({ "timeout_s": 60, "retry_count": 1, "retry_backoff_s": 5 });
    let mut machine = of_items("fail_fast", more, 2);
    ends(&mut machine, 0, 0, success(), 1);
    let late = inner(&machine, "loop", 0, 1);
    begin_at(&mut machine, late, at(59)).unwrap();
    reap(&mut machine, at(60));
    assert!(matches!(state(&machine, "loop"), StepState::Queued { attempt: 2, .. }));
    open(&mut machine, "loop", 2, at(65));
    assert_eq!(open_rounds(&machine), [(0, 0), (1, 0)], "from the first step on");
    assert_eq!(
        settle_at(&mut machine, late, success(), at(66)),
        Err(Refusal::NotYours),
        "of another attempt"
    );
    reap(&mut machine, at(125));
    assert_eq!(failure_code(&machine), Some(FailureCode::StepTimeout));
}

fn repeating(mode: &str, most: u32) -> Machine {
    let more = json!({
        "while_mode": mode,
        "while_max_iterations": most,
        "while_body_steps": [step("one", &[], json!({}))],
        "while_eval_script": "return { pass = true }",
    });
    opened(&json!([typed("loop", &[], "while", more)]), most)
}

fn iterate(machine: &mut Machine, round: u32, holds: bool) {
    ends(machine, round, 0, success(), 1);
    ends(machine, round, 1, Outcome::success(json!({ "pass": holds })), 1);
}

#[test]
fn a_while_goes_on_until_or_while_its_condition_holds_and_looks_at_it_after_each_round() {
    for (mode, enough) in [("until", true), ("while", false)] {
        let mut machine = repeating(mode, 10);
        assert_eq!(open_rounds(&machine), [(0, 0)], "one round at a time, the first in any case");
        iterate(&mut machine, 0, !enough);
        assert_eq!(open_rounds(&machine), [(1, 0)]);
        iterate(&mut machine, 1, enough);
        let (_, rounds) = machine.rounds(slot(&machine, "loop").step).unwrap();
        assert_eq!((rounds.succeeded, rounds.condition_met, rounds.is_over()), (2, true, true), "{mode}");
        close(&mut machine, "loop", at(2)).unwrap();
        assert_eq!(machine.run().status, RunStatus::Completed);
    }
}

#[test]
fn a_while_ends_after_its_most_iterations() {
    let mut machine = repeating("until", 2);
    iterate(&mut machine, 0, false);
    iterate(&mut machine, 1, false);
    let (_, rounds) = machine.rounds(slot(&machine, "loop").step).unwrap();
    assert_eq!((rounds.succeeded, rounds.condition_met, rounds.is_over()), (2, false, true));
}

#[test]
fn a_condition_that_cannot_be_looked_at_fails_the_loop_with_its_own_code() {
    let mut machine = repeating("until", 2);
    ends(&mut machine, 0, 0, success(), 1);
    ends(&mut machine, 0, 1, failure(FailureCode::LuaReturnType), 2);
    assert_eq!(failure_code(&machine), Some(FailureCode::LuaReturnType));
    let of_condition = |event: &crate::Event| event.step.is_some_and(|slot| machine.is_condition(slot));
    assert!(!machine.page().events.iter().any(of_condition), "it is no step for readers");
}

#[test]
fn an_inner_step_that_keeps_its_error_lets_the_round_go_on() {
    let body = json!([step("one", &[], json!({ "continue_on_error": true })), step("two", &[], json!({}))]);
    let mut machine = opened(&json!([each("loop", "fail_fast", body, json!({}))]), 1);
    let one = inner(&machine, "loop", 0, 0);
    execute(&mut machine, one, broken(), at(1));
    assert_eq!(open_rounds(&machine), [(0, 1)]);
    assert_eq!(machine.page().results[&one].to_value()["error"]["code"], json!("LUA_ERROR"));
}
