//! What ends before its time: retrying a run, children that nothing waits for any more, closed episodes.

use super::*;

fn chain() -> Machine {
    let steps = json!([
        step("a", &[], json!({})),
        step("b", &["a"], json!({ "retry_count": 1, "retry_backoff_s": 0 })),
        step("c", &["b"], json!({})),
        step("side", &[], json!({ "continue_on_error": true })),
    ]);
    start(&plan(&steps), &[], &[])
}

fn done(machine: &mut Machine, id: &str, outcome: Outcome, now: i64) {
    let slot = slot(machine, id);
    execute(machine, slot, outcome, at(now));
}

fn slow() -> Outcome {
    failure(FailureCode::LuaTimeout)
}

fn retry(machine: &mut Machine, from: Option<&str>, now: i64) -> Result<(), Refusal> {
    let from = from.map(|id| machine.plan().find(id).expect("a step"));
    machine.apply(Command::Retry { from, without_mcp: false, input_keys: Vec::new() }, at(now))
}

/// A run whose step `b` has used up its two attempts.
fn failed() -> Machine {
    let mut machine = chain();
    done(&mut machine, "side", failure(FailureCode::LuaError), 1);
    done(&mut machine, "a", success(), 1);
    done(&mut machine, "b", slow(), 2);
    done(&mut machine, "b", slow(), 3);
    assert_eq!(machine.run().status, RunStatus::Failed);
    machine
}

#[test]
fn a_retry_goes_on_from_the_failed_step_with_the_next_number_and_all_its_retries() {
    let mut machine = failed();
    retry(&mut machine, None, 10).unwrap();
    let run = machine.run();
    assert_eq!((run.status, &run.failure, run.ended_at, run.retries), (RunStatus::Running, &None, None, 1));
    assert_eq!(
        ["a", "b", "c", "side"].map(|id| status(&machine, id)),
        ["completed", "pending", "pending", "failed"]
    );
    begin(&mut machine, "b", ME, at(11)).unwrap();
    let b = slot(&machine, "b");
    assert_eq!(attempt(&machine, b), Some(3), "numbers go on");
    settle(&mut machine, "b", ME, slow(), at(12)).unwrap();
    assert_eq!(
        (machine.run().status, attempt(&machine, b)),
        (RunStatus::Running, Some(4)),
        "it may fail again"
    );
    done(&mut machine, "b", success(), 13);
    done(&mut machine, "c", success(), 14);
    assert_eq!(machine.run().status, RunStatus::Completed);
    assert!(matches!(state(&machine, "c"), StepState::Completed { attempt: 1, .. }), "it had not begun");
}

#[test]
fn a_retry_from_a_step_executes_it_and_all_that_depends_on_it_anew() {
    let mut machine = failed();
    retry(&mut machine, Some("a"), 10).unwrap();
    assert_eq!(
        ["a", "b", "c", "side"].map(|id| status(&machine, id)),
        ["pending", "pending", "pending", "failed"]
    );
    begin(&mut machine, "a", ME, at(11)).unwrap();
    let a = slot(&machine, "a");
    assert_eq!(attempt(&machine, a), Some(2));
    let mut machine = failed();
    retry(&mut machine, Some("side"), 10).unwrap();
    let pending = ["b", "c", "side"].map(|id| status(&machine, id));
    assert_eq!(pending, ["pending"; 3], "and what failed is done again in any case");
}

#[test]
fn a_step_that_was_not_reached_is_no_place_to_go_on_from() {
    let mut machine = failed();
    let before = machine.run().clone();
    assert_eq!(retry(&mut machine, Some("c"), 10), Err(Refusal::NotReached));
    assert_eq!(*machine.run(), before);
    assert_eq!(retry(&mut machine, Some("b"), 10), Ok(()));
}

#[test]
fn what_was_under_way_when_the_run_ended_begins_with_the_next_number() {
    let mut machine = chain();
    begin(&mut machine, "a", ME, at(1)).unwrap();
    machine.apply(Command::Stop(StopMode::Immediate), at(2)).unwrap();
    retry(&mut machine, None, 3).unwrap();
    done(&mut machine, "a", success(), 4);
    assert!(matches!(state(&machine, "a"), StepState::Completed { attempt: 2, .. }));

    // An attempt whose worker was lost has begun, too; one that waits for its time has not.
    for (lost, expected) in [(true, 2), (false, 2)] {
        let mut machine = chain();
        done(&mut machine, "a", success(), 1);
        match lost {
            true => {
                begin(&mut machine, "b", ME, at(2)).unwrap();
                reap(&mut machine, at(100));
            }
            false => done(&mut machine, "b", slow(), 2),
        }
        assert_eq!(status(&machine, "b"), "queued");
        machine.apply(Command::Stop(StopMode::Immediate), at(101)).unwrap();
        retry(&mut machine, None, 102).unwrap();
        begin(&mut machine, "b", ME, at(103)).unwrap();
        let b = slot(&machine, "b");
        assert_eq!(attempt(&machine, b), Some(expected), "the worker was lost: {lost}");
    }
}

#[test]
fn a_run_that_was_stopped_when_all_was_done_completes_when_it_is_retried() {
    let mut machine = start(&plan(&json!([step("a", &[], json!({}))])), &[], &[]);
    begin(&mut machine, "a", ME, at(1)).unwrap();
    machine.apply(Command::Stop(StopMode::Graceful), at(2)).unwrap();
    settle(&mut machine, "a", ME, success(), at(3)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Stopped);
    retry(&mut machine, None, 4).unwrap();
    assert_eq!(machine.run().status, RunStatus::Completed);
}

fn calling(more: Value) -> (Machine, Slot) {
    let machine = start(&plan(&json!([call("call", &[], more), step("a", &[], json!({}))])), &[], &[]);
    let slot = slot(&machine, "call");
    (machine, slot)
}

#[test]
fn a_child_that_nothing_waits_for_any_more_is_to_be_stopped() {
    let (mut machine, of_call) = calling(json!({}));
    let child = call_child(&mut machine, of_call, at(0));
    assert_eq!(machine.children().collect::<Vec<_>>(), [(of_call, child)]);
    done(&mut machine, "a", failure(FailureCode::LuaError), 1);
    assert_eq!((status(&machine, "call"), machine.run().orphans.as_slice()), ("cancelled", &[child][..]));
    assert!(machine.deadline(at(1)).is_some(), "until somebody has stopped it, also after the end");
    machine.apply(Command::Disown { children: vec![child] }, at(2)).unwrap();
    assert_eq!((machine.run().orphans.len(), machine.deadline(at(2))), (0, None));
}

#[test]
fn a_child_that_does_not_end_in_time_is_given_up_and_another_one_is_called() {
    let (mut machine, of_call) = calling(json!({ "timeout_s": 60, "retry_count": 1 }));
    let first = call_child(&mut machine, of_call, at(0));
    reap(&mut machine, at(59));
    assert_eq!(status(&machine, "call"), "waiting");
    reap(&mut machine, at(60));
    assert_eq!((status(&machine, "call"), machine.run().orphans.as_slice()), ("queued", &[first][..]));
    let second = call_child(&mut machine, of_call, at(61));
    let ended = |child| Command::ChildEnded { slot: of_call, child, outcome: success() };
    assert_eq!(machine.apply(ended(first), at(62)), Err(Refusal::NotYours), "nothing waits for that one");
    machine.apply(ended(second), at(62)).unwrap();
    assert_eq!(status(&machine, "call"), "completed");
}

#[test]
fn children_called_in_a_loop_are_given_up_once_each_and_not_the_one_that_has_ended() {
    let body = json!([call("one", &[], json!({}))]);
    let more = json!({ "for_each_item_timeout_s": 30 });
    let steps = json!([each("loop", "fail_fast", body, more)]);
    let mut machine = start(&plan(&steps), &[], &[]);
    open(&mut machine, "loop", 2, at(0));
    let places = [0, 1].map(|round| inner(&machine, "loop", round, 0));
    let [first, second] = places.map(|place| call_child(&mut machine, place, at(0)));
    let again = machine.clone();
    let outcome = failure(FailureCode::ChildRunFailed);
    machine.apply(Command::ChildEnded { slot: places[0], child: first, outcome }, at(1)).unwrap();
    assert_eq!((machine.run().status, machine.run().orphans.as_slice()), (RunStatus::Failed, &[second][..]));
    let mut machine = again;
    reap(&mut machine, at(30));
    assert_eq!(machine.run().orphans, [first, second], "the item's time was up, and by that the loop's");
}

#[test]
fn a_terminal_step_leaves_out_what_has_not_begun_and_lets_the_rest_finish() {
    let steps = json!([
        step("end", &[], json!({ "terminal": true })),
        step("gated", &[], json!({ "no_auto_start": true })),
        step("after", &["end"], json!({})),
        step("busy", &[], json!({})),
        step("later", &["busy"], json!({})),
        step("ready", &[], json!({})),
        step("waits", &[], json!({ "retry_count": 1 })),
    ]);
    let ending = || {
        let mut machine = start(&plan(&steps), &[], &[]);
        begin(&mut machine, "busy", ME, at(1)).unwrap();
        done(&mut machine, "waits", slow(), 1);
        done(&mut machine, "end", success(), 2);
        machine
    };
    let mut machine = ending();
    for id in ["after", "later", "ready"] {
        assert_eq!(skip_reason(&machine, id), Some(SkipReason::OutOfScope), "{id}");
    }
    assert_eq!((machine.run().status, status(&machine, "waits")), (RunStatus::Running, "queued"));
    settle(&mut machine, "busy", ME, success(), at(3)).unwrap();
    done(&mut machine, "waits", success(), 4);
    assert_eq!(machine.run().status, RunStatus::Completed);
    let mut machine = ending();
    settle(&mut machine, "busy", ME, failure(FailureCode::LuaError), at(3)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Failed, "what may finish may fail");
    assert_eq!(skip_reason(&machine, "later"), Some(SkipReason::OutOfScope));
}

#[test]
fn a_terminal_step_that_does_not_complete_closes_nothing() {
    let more = json!({ "terminal": true, "continue_on_error": true });
    let gated = step("gated", &[], json!({ "no_auto_start": true }));
    let steps = json!([step("end", &[], more), step("after", &["end"], json!({})), gated]);
    let mut machine = start(&plan(&steps), &[], &[]);
    done(&mut machine, "end", failure(FailureCode::LuaError), 1);
    assert_eq!(first_ready(&machine, at(1)), machine.plan().find("after"));
    let mut machine = start(&plan(&steps), &[], &[]);
    let end = slot(&machine, "end");
    machine.apply(Command::Skip { slot: end, reason: SkipReason::ConditionFalse }, at(1)).unwrap();
    assert_eq!(first_ready(&machine, at(1)), machine.plan().find("after"));
}

#[test]
fn a_terminal_step_closes_nothing_in_a_graph_without_episodes() {
    let steps = json!([
        step("quick", &[], json!({ "terminal": true })),
        step("first", &[], json!({})),
        step("second", &["first"], json!({})),
    ]);
    let mut machine = start(&plan(&steps), &[], &[]);
    done(&mut machine, "quick", success(), 1);
    assert_eq!(machine.run().status, RunStatus::Running);
    done(&mut machine, "first", success(), 2);
    done(&mut machine, "second", success(), 3);
    assert_eq!(machine.run().status, RunStatus::Completed);
}
