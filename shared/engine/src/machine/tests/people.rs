//! People: what a no leads to, what happens when nobody answers, what they are asked.

use super::*;

fn asked(steps: &Value) -> Machine {
    let mut machine = start(&plan(steps), &[], &[]);
    ask(&mut machine, "ask", at(0)).unwrap();
    machine
}

fn say(machine: &mut Machine, approved: bool) {
    let ask = slot(machine, "ask");
    answer(machine, ask, approved, at(1)).unwrap();
}

#[test]
fn a_no_skips_what_has_no_condition_and_what_comes_after_that() {
    let mut machine = asked(&json!([
        person("ask", &[], json!({})),
        step("next", &["ask"], json!({})),
        step("after", &["next"], json!({})),
        step("other", &[], json!({})),
        step("both", &["next", "other"], json!({})),
    ]));
    say(&mut machine, false);
    assert!(matches!(state(&machine, "ask"), StepState::Completed { rejected: true, .. }));
    assert_eq!(skip_reason(&machine, "next"), Some(SkipReason::Rejected));
    assert_eq!(skip_reason(&machine, "after"), Some(SkipReason::Rejected), "and so on down");
    assert_eq!(status(&machine, "both"), "pending", "in its turn");
    let other = slot(&machine, "other");
    execute(&mut machine, other, success(), at(2));
    assert_eq!(skip_reason(&machine, "both"), Some(SkipReason::Rejected), "one no is enough");
    assert_eq!(machine.run().status, RunStatus::Completed, "a no stops a branch, not the run");
}

#[test]
fn a_step_with_a_condition_looks_at_the_no_itself_and_its_dependants_go_on() {
    let steps = json!([
        person("ask", &[], json!({})),
        step("told", &["ask"], json!({ "condition": "{{ steps.ask.result.approved }} == false" })),
        step("after", &["told"], json!({})),
    ]);
    let mut machine = asked(&steps);
    say(&mut machine, false);
    let told = slot(&machine, "told");
    assert_eq!(machine.next_work(at(1)), Some(Work::Begin(told)));
    execute(&mut machine, told, success(), at(2));
    assert_eq!(first_ready(&machine, at(2)), machine.plan().find("after"));

    let mut machine = asked(&steps);
    say(&mut machine, false);
    machine.apply(Command::Skip { slot: told, reason: SkipReason::ConditionFalse }, at(1)).unwrap();
    assert_eq!(first_ready(&machine, at(2)), machine.plan().find("after"), "skipped, and not rejected");
}

#[test]
fn a_disabled_step_does_not_lead_around_a_no() {
    let steps = json!([
        person("ask", &[], json!({})),
        step("off", &["ask"], json!({ "enabled": false })),
        step("after", &["off"], json!({})),
    ]);
    let mut machine = asked(&steps);
    say(&mut machine, false);
    assert_eq!(skip_reason(&machine, "off"), Some(SkipReason::Rejected));
    assert_eq!(skip_reason(&machine, "after"), Some(SkipReason::Rejected));
    let mut machine = asked(&steps);
    say(&mut machine, true);
    assert_eq!(skip_reason(&machine, "off"), Some(SkipReason::StepDisabled));
    assert_eq!(first_ready(&machine, at(1)), machine.plan().find("after"));
}

#[test]
fn what_was_said_is_the_result_and_approved_always_wins() {
    let mut machine = asked(&json!([person("ask", &[], json!({}))]));
    let ask = slot(&machine, "ask");
    let Value::Object(result) = json!({ "approved": "yes", "note": "fine" }) else { panic!("an object") };
    let answer = Answer { approved: false, result, notes: None, completed_by: None };
    machine.apply(Command::Answer { slot: ask, answer: answer.clone() }, at(1)).unwrap();
    assert_eq!(machine.page().results[&ask].to_value(), json!({ "approved": false, "note": "fine" }));
    let again = machine.apply(Command::Answer { slot: ask, answer }, at(2));
    assert_eq!(again, Err(Refusal::Status(RunStatus::Completed)), "an answer is given once");
}

#[test]
fn a_task_is_put_and_taken_back_with_the_run() {
    let steps = json!([person("ask", &[], json!({ "timeout_s": 40 })), step("a", &[], json!({}))]);
    let mut machine = asked(&steps);
    let ask = slot(&machine, "ask");
    let Some(TaskChange::Opened(task)) = machine.tasks().get(&ask) else { panic!("it is put") };
    assert_eq!((task.task_id.as_str(), task.task_type.as_str()), ("ask", "approval"));
    assert_eq!((task.created_at, task.expires_at), (at(0), Some(at(40))));
    machine.written();
    let a = slot(&machine, "a");
    execute(&mut machine, a, failure(FailureCode::LuaError), at(1));
    assert_eq!(machine.tasks().get(&ask), Some(&TaskChange::Closed), "nobody wants the answer any more");
    assert_eq!(status(&machine, "ask"), "cancelled");
    assert_eq!(machine.waiting_for_people().count(), 0);
}

#[test]
fn when_nobody_answers_in_time_on_timeout_does() {
    for (on_timeout, expected) in [
        (json!({}), Err(FailureCode::HumanTaskFailed)),
        (json!({ "on_timeout": "fail" }), Err(FailureCode::HumanTaskFailed)),
        (json!({ "on_timeout": "approve" }), Ok(false)),
        (json!({ "on_timeout": "reject" }), Ok(true)),
    ] {
        let mut task = person("ask", &[], on_timeout);
        task["timeout_s"] = json!(40);
        let mut machine = asked(&json!([task]));
        assert_eq!(machine.deadline(at(1)), Some(at(45)), "somebody looks when the time is up");
        reap(&mut machine, at(39));
        assert_eq!(status(&machine, "ask"), "waiting");
        reap(&mut machine, at(40));
        match (state(&machine, "ask"), expected) {
            (StepState::Completed { rejected, .. }, Ok(no)) => assert_eq!(*rejected, no),
            (StepState::Failed { code, .. }, Err(expected)) => assert_eq!(*code, expected),
            (state, expected) => panic!("{state:?}, not {expected:?}"),
        }
        let ask = slot(&machine, "ask");
        assert_eq!(machine.tasks().get(&ask), Some(&TaskChange::Closed));
    }
}

#[test]
fn a_run_that_waits_for_a_person_without_an_end_costs_nothing() {
    let machine = asked(&json!([person("ask", &[], json!({})), step("after", &["ask"], json!({}))]));
    assert_eq!(machine.deadline(at(1)), None);
    assert_eq!(machine.next_work(at(1)), None);
}
