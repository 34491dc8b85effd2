//! A run that is executed alone, and what is held against it.

use super::*;

fn isolate(machine: &mut Machine, owner: &str, now: i64) -> Result<(), Refusal> {
    let until = at(now + 60);
    machine.apply(Command::Isolate { owner: owner.to_owned(), process: owner.to_owned(), until }, at(now))
}

fn recover(machine: &mut Machine, process: &str, dead_before: Option<i64>, in_order: bool, now: i64) {
    let process = process.to_owned();
    let dead_before = dead_before.map(at);
    machine.apply(Command::Recover { process, dead_before, in_order }, at(now)).unwrap();
}

fn one_step(more: serde_json::Value) -> Machine {
    start(&plan(&json!([step("a", &[], more)])), &[], &[])
}

#[test]
fn three_losses_alone_fail_the_step_that_was_under_way() {
    let mut machine = one_step(json!({ "retry_count": 5 }));
    for loss in 1..=3 {
        let now = loss * 100;
        isolate(&mut machine, &format!("p{loss}"), now).unwrap();
        begin(&mut machine, "a", &format!("p{loss}"), at(now)).unwrap();
        assert_eq!(
            isolate(&mut machine, "another", now + 1),
            Err(Refusal::NotYours),
            "it would not be alone"
        );
        recover(&mut machine, "another", None, false, now + 59);
        assert_eq!(machine.lost_alone(), u32::try_from(loss).unwrap() - 1, "the other may live");
        recover(&mut machine, "another", None, false, now + 61);
        machine.apply(Command::Reap { dead_before: None, in_order: false }, at(now + 99)).ok();
    }
    let failure = machine.run().failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.step_id.as_deref()), (FailureCode::WorkerLost, Some("a")));
    assert_eq!(
        machine.run().status,
        RunStatus::Failed,
        "it is not tried again: it would take further processes"
    );
    assert!(machine.is_to_be_alone(), "a retry is alone from its beginning");
}

#[test]
fn a_run_that_takes_its_process_before_any_step_begins_fails_too() {
    let mut machine = one_step(json!({}));
    for loss in 1..=3 {
        isolate(&mut machine, &format!("p{loss}"), loss * 100).unwrap();
        recover(&mut machine, "later", Some(loss * 100 + 1), false, loss * 100 + 1);
    }
    let failure = machine.run().failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.step_id.as_deref()), (FailureCode::WorkerLost, None));
}

#[test]
fn what_was_no_loss_alone_is_not_held_against_the_run() {
    let mut machine = one_step(json!({}));
    for round in 1..=10 {
        let now = round * 100;
        // Told to end.
        isolate(&mut machine, "p", now).unwrap();
        recover(&mut machine, "later", Some(now + 1), true, now + 1);
        // Alive, and late.
        isolate(&mut machine, "p", now + 2).unwrap();
        recover(&mut machine, "p", None, false, now + 90);
        // With others.
        begin(&mut machine, "a", "other", at(now + 91)).unwrap();
        machine
            .apply(Command::Reap { dead_before: Some(at(now + 92)), in_order: false }, at(now + 92))
            .unwrap();
        assert_eq!(machine.lost_alone(), 0);
    }
    assert_eq!(machine.run().status, RunStatus::Running);
}

#[test]
fn a_run_that_lives_alone_starts_over() {
    let mut machine = one_step(json!({}));
    for round in 1..=10 {
        let now = round * 100;
        isolate(&mut machine, "p", now).unwrap();
        recover(&mut machine, "later", Some(now + 1), false, now + 1);
        isolate(&mut machine, "q", now + 2).unwrap();
        assert_eq!(
            machine.apply(Command::Rejoin { owner: "p".to_owned() }, at(now + 3)),
            Err(Refusal::NotYours)
        );
        machine.apply(Command::Rejoin { owner: "q".to_owned() }, at(now + 3)).unwrap();
        assert!(!machine.is_to_be_alone());
    }
    assert_eq!(machine.run().status, RunStatus::Running);
}
