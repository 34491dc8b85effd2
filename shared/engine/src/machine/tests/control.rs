//! Pause, resume and stop.

use super::*;

fn two() -> Machine {
    let steps = json!([step("a", &[], json!({})), step("b", &["a"], json!({}))]);
    start(&plan(&steps), &[], &[])
}

fn looping(policy: &str, rounds: u32) -> Machine {
    let body = json!([step("one", &[], json!({})), step("two", &[], json!({}))]);
    let mut machine = start(&plan(&json!([each("loop", policy, body, json!({}))])), &[], &[]);
    open(&mut machine, "loop", rounds, at(0));
    machine
}

fn stop(machine: &mut Machine, mode: StopMode, now: i64) {
    machine.apply(Command::Stop(mode), at(now)).unwrap();
}

fn ended(machine: &Machine) -> (RunStatus, Option<FailureCode>) {
    (machine.run().status, failure_code(machine))
}

const STOPPED: (RunStatus, Option<FailureCode>) = (RunStatus::Stopped, Some(FailureCode::RunStopped));

#[test]
fn while_a_run_is_paused_nothing_begins_and_what_is_under_way_is_committed() {
    let mut machine = two();
    begin(&mut machine, "a", ME, at(1)).unwrap();
    machine.apply(Command::Pause, at(2)).unwrap();
    assert_eq!(machine.deadline(at(2)), Some(at(16)), "the lease of what is under way");
    settle(&mut machine, "a", ME, success(), at(3)).unwrap();
    assert_eq!(
        (machine.next_work(at(3)), machine.deadline(at(3))),
        (None, None),
        "an idle run costs nothing"
    );
    let paused = Err(Refusal::Status(RunStatus::Paused));
    assert_eq!(begin(&mut machine, "b", ME, at(4)), paused);
    assert_eq!(machine.apply(Command::Pause, at(4)), paused);
    machine.apply(Command::Resume, at(5)).unwrap();
    begin(&mut machine, "b", ME, at(6)).unwrap();
}

#[test]
fn a_pause_does_not_use_up_the_time_of_those_who_wait() {
    let body = json!([step("one", &[], json!({}))]);
    let steps = json!([
        person("ask", &[], json!({ "timeout_s": 100 })),
        call("call", &[], json!({ "timeout_s": 200 })),
        each("loop", "fail_fast", body, json!({ "timeout_s": 300, "for_each_item_timeout_s": 50 })),
    ]);
    for graceful in [false, true] {
        let mut machine = start(&plan(&steps), &[], &[]);
        ask(&mut machine, "ask", at(0)).unwrap();
        let of_call = slot(&machine, "call");
        call_child(&mut machine, of_call, at(0));
        open(&mut machine, "loop", 1, at(0));
        let one = inner(&machine, "loop", 0, 0);
        begin_at(&mut machine, one, at(10)).unwrap();
        machine.apply(Command::Pause, at(20)).unwrap();
        reap(&mut machine, at(10_000));
        assert_eq!(["ask", "call", "loop"].map(|id| status(&machine, id)), ["waiting", "waiting", "running"]);
        let (go_on, later) = (20 + 20_000, 20_000);
        match graceful {
            true => stop(&mut machine, StopMode::Graceful, go_on),
            false => machine.apply(Command::Resume, at(go_on)).unwrap(),
        }
        let until = |id| match state(&machine, id) {
            StepState::Waiting { until, .. } => *until,
            StepState::Looping { until, .. } => Some(*until),
            _ => None,
        };
        assert_eq!(until("ask"), Some(at(100 + later)));
        assert_eq!(until("call"), Some(at(200 + later)));
        assert_eq!(until("loop"), Some(at(300 + later)));
        reap(&mut machine, at(59 + later));
        assert!(!machine.run().status.is_terminal(), "the item has its fifty seconds");
        reap(&mut machine, at(60 + later));
        assert_eq!(status(&machine, "loop"), "failed");
    }
}

#[test]
fn what_fails_while_the_run_is_paused_fails_it_when_it_is_resumed() {
    let steps = json!([
        step("a", &[], json!({})),
        step("b", &[], json!({})),
        step("kept", &[], json!({ "continue_on_error": true })),
    ]);
    let mut machine = start(&plan(&steps), &[], &[]);
    for id in ["a", "b", "kept"] {
        begin(&mut machine, id, ME, at(1)).unwrap();
    }
    machine.apply(Command::Pause, at(2)).unwrap();
    settle(&mut machine, "kept", ME, failure(FailureCode::LuaError), at(3)).unwrap();
    assert_eq!(failure_code(&machine), None);
    settle(&mut machine, "b", ME, failure(FailureCode::LuaMemory), at(3)).unwrap();
    settle(&mut machine, "a", ME, failure(FailureCode::LuaError), at(4)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Paused);
    machine.apply(Command::Resume, at(5)).unwrap();
    let failure = machine.run().failure.clone().unwrap();
    assert_eq!(machine.run().status, RunStatus::Failed);
    assert_eq!((failure.code, failure.step_id.as_deref()), (FailureCode::LuaMemory, Some("b")), "the first");
    assert_eq!(reasons(&machine), ["started", "paused", "resumed", "step_failed"]);
}

#[test]
fn a_stop_at_once_cancels_what_is_under_way_wherever_the_run_stands() {
    for before in [None, Some(Command::Pause), Some(Command::Stop(StopMode::Graceful))] {
        let mut machine = two();
        begin(&mut machine, "a", ME, at(1)).unwrap();
        before.into_iter().for_each(|command| machine.apply(command, at(2)).unwrap());
        stop(&mut machine, StopMode::Immediate, 3);
        assert_eq!(ended(&machine), STOPPED);
        assert_eq!(
            (status(&machine, "a"), skip_reason(&machine, "b")),
            ("cancelled", Some(SkipReason::Blocked))
        );
        let late = settle(&mut machine, "a", ME, success(), at(4));
        assert_eq!(late, Err(Refusal::Status(RunStatus::Stopped)), "a late result is dropped");
        let again = machine.apply(Command::Stop(StopMode::Immediate), at(5));
        assert_eq!(again, Err(Refusal::Status(RunStatus::Stopped)));
    }
}

#[test]
fn a_graceful_stop_waits_for_what_is_under_way_and_no_longer() {
    let mut machine = two();
    begin(&mut machine, "a", ME, at(1)).unwrap();
    stop(&mut machine, StopMode::Graceful, 2);
    assert_eq!(machine.run().status, RunStatus::Draining);
    let draining = Err(Refusal::Status(RunStatus::Draining));
    assert_eq!(machine.apply(Command::Pause, at(2)), draining);
    assert_eq!(machine.apply(Command::Resume, at(2)), draining);
    settle(&mut machine, "a", ME, success(), at(3)).unwrap();
    assert_eq!(ended(&machine), STOPPED);
    assert_eq!((status(&machine, "a"), skip_reason(&machine, "b")), ("completed", Some(SkipReason::Blocked)));
    let mut idle = two();
    stop(&mut idle, StopMode::Graceful, 2);
    assert_eq!(reasons(&idle), ["started", "stop_requested", "stopped"], "there is nothing to wait for");
}

#[test]
fn a_graceful_stop_does_not_wait_for_further_attempts() {
    let mut machine = start(&plan(&json!([step("a", &[], json!({ "retry_count": 3 }))])), &[], &[]);
    begin(&mut machine, "a", ME, at(1)).unwrap();
    stop(&mut machine, StopMode::Graceful, 2);
    settle(&mut machine, "a", ME, failure(FailureCode::LuaTimeout), at(3)).unwrap();
    assert_eq!(ended(&machine), STOPPED);
}

#[test]
fn a_graceful_stop_ends_after_fifteen_minutes() {
    let mut machine = start(&plan(&json!([person("ask", &[], json!({}))])), &[], &[]);
    ask(&mut machine, "ask", at(0)).unwrap();
    stop(&mut machine, StopMode::Graceful, 100);
    assert_eq!(machine.deadline(at(100)), Some(at(100 + 900 + 5)));
    stop(&mut machine, StopMode::Graceful, 500);
    reap(&mut machine, at(100 + 899));
    assert_eq!(machine.run().status, RunStatus::Draining, "asking again changes nothing");
    reap(&mut machine, at(100 + 900));
    assert_eq!(ended(&machine), (RunStatus::Stopped, Some(FailureCode::DrainTimeout)));
    assert_eq!(status(&machine, "ask"), "cancelled");
    let answered = slot(&machine, "ask");
    assert!(answer(&mut machine, answered, true, at(1100)).is_err());
}

#[test]
fn a_person_may_answer_while_the_run_drains() {
    let steps = json!([person("ask", &[], json!({})), step("after", &["ask"], json!({}))]);
    let mut machine = start(&plan(&steps), &[], &[]);
    ask(&mut machine, "ask", at(0)).unwrap();
    stop(&mut machine, StopMode::Graceful, 1);
    let asked = slot(&machine, "ask");
    answer(&mut machine, asked, true, at(2)).unwrap();
    assert_eq!((ended(&machine), status(&machine, "ask")), (STOPPED, "completed"));
    assert_eq!(skip_reason(&machine, "after"), Some(SkipReason::Blocked));
}

#[test]
fn a_drain_lets_inner_steps_finish_and_puts_together_what_is_over() {
    let mut machine = looping("fail_fast", 2);
    for (round, place) in [(0, 0), (0, 1), (1, 0)] {
        let slot = inner(&machine, "loop", round, place);
        execute(&mut machine, slot, success(), at(1));
    }
    let last = inner(&machine, "loop", 1, 1);
    begin_at(&mut machine, last, at(2)).unwrap();
    stop(&mut machine, StopMode::Graceful, 3);
    settle_at(&mut machine, last, success(), at(4)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Draining);
    assert!(matches!(machine.next_work(at(4)), Some(Work::Close(_))), "that starts nothing");
    close(&mut machine, "loop", at(5)).unwrap();
    assert_eq!((ended(&machine), status(&machine, "loop")), (STOPPED, "completed"));

    let mut machine = looping("fail_fast", 2);
    let first = inner(&machine, "loop", 0, 0);
    begin_at(&mut machine, first, at(1)).unwrap();
    stop(&mut machine, StopMode::Graceful, 2);
    settle_at(&mut machine, first, success(), at(3)).unwrap();
    assert_eq!(
        (ended(&machine), status(&machine, "loop")),
        (STOPPED, "cancelled"),
        "the rest would start anew"
    );
}

#[test]
fn a_drain_does_not_wait_for_failed_items_and_asks_nobody_about_them() {
    for policy in ["pause", "human_review"] {
        let mut machine = looping(policy, 1);
        let one = inner(&machine, "loop", 0, 0);
        begin_at(&mut machine, one, at(1)).unwrap();
        stop(&mut machine, StopMode::Graceful, 2);
        settle_at(&mut machine, one, failure(FailureCode::LuaError), at(3)).unwrap();
        assert_eq!((ended(&machine), status(&machine, "loop")), (STOPPED, "cancelled"), "{policy}");
        assert!(machine.tasks().is_empty(), "a question whose answer nobody wants");
    }
    let mut machine = looping("human_review", 1);
    let one = inner(&machine, "loop", 0, 0);
    execute(&mut machine, one, failure(FailureCode::LuaError), at(1));
    stop(&mut machine, StopMode::Graceful, 2);
    assert_eq!(ended(&machine), STOPPED, "a review that is put is not waited for");
    assert_eq!(machine.tasks().get(&one), Some(&TaskChange::Closed));
}

#[test]
fn nobody_is_asked_about_failed_items_before_a_paused_run_goes_on() {
    let mut machine = looping("human_review", 1);
    let one = inner(&machine, "loop", 0, 0);
    begin_at(&mut machine, one, at(1)).unwrap();
    machine.apply(Command::Pause, at(2)).unwrap();
    settle_at(&mut machine, one, failure(FailureCode::LuaError), at(3)).unwrap();
    assert_eq!(machine.waiting_for_people().count(), 0);
    machine.apply(Command::Resume, at(4)).unwrap();
    assert_eq!(machine.waiting_for_people().collect::<Vec<_>>(), [one]);
}

#[test]
fn a_run_is_only_told_what_its_state_allows() {
    let mut machine = two();
    let running = Err(Refusal::Status(RunStatus::Running));
    assert_eq!(machine.apply(Command::Resume, at(1)), running);
    assert_eq!(
        machine.apply(Command::Retry { from: None, without_mcp: false, input_keys: Vec::new() }, at(1)),
        running
    );
    for id in ["a", "b"] {
        let slot = slot(&machine, id);
        execute(&mut machine, slot, success(), at(2));
    }
    let completed = Err(Refusal::Status(RunStatus::Completed));
    for command in [
        Command::Pause,
        Command::Resume,
        Command::Stop(StopMode::Graceful),
        Command::Stop(StopMode::Immediate),
        Command::Retry { from: None, without_mcp: false, input_keys: Vec::new() },
        Command::Reap { dead_before: None, in_order: false },
    ] {
        assert_eq!(machine.apply(command, at(3)), completed);
    }
}
