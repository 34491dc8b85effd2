//! Single steps: claims, leases, retries, what is skipped and what is left out.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn a_step_is_held_by_one_session_and_settled_by_that_one_only() {
    let mut machine = start(&plan(&json!([step("a", &[], json!({}))])), &[], &[]);
    assert_eq!(settle(&mut machine, "a", ME, success(), at(1)), Err(Refusal::NotYours), "not begun");
    begin(&mut machine, "a", ME, at(1)).unwrap();
    assert_eq!(begin(&mut machine, "a", "other", at(1)), Err(Refusal::NotYours));
    assert_eq!(begin(&mut machine, "a", ME, at(1)), Ok(()), "renewing one's own claim changes nothing");
    assert_eq!(settle(&mut machine, "a", "other", success(), at(2)), Err(Refusal::NotYours));
    settle(&mut machine, "a", ME, success(), at(2)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Completed);
    let over = Err(Refusal::Status(RunStatus::Completed));
    assert_eq!(settle(&mut machine, "a", ME, success(), at(3)), over, "terminal is final");
    assert_eq!(machine.deadline(at(3)), None);
}

#[test]
fn a_failure_cancels_what_is_under_way_and_blocks_the_rest() {
    let steps = json!([
        step("a", &[], json!({})),
        step("b", &[], json!({})),
        step("c", &["a"], json!({})),
        step("d", &["b", "c"], json!({})),
    ]);
    let mut machine = start(&plan(&steps), &[], &[]);
    begin(&mut machine, "a", ME, at(1)).unwrap();
    begin(&mut machine, "b", "other", at(1)).unwrap();
    settle(&mut machine, "a", ME, failure(FailureCode::LuaError), at(2)).unwrap();
    assert_eq!(
        ["a", "b", "c", "d"].map(|id| status(&machine, id)),
        ["failed", "cancelled", "skipped", "skipped"]
    );
    assert_eq!(skip_reason(&machine, "d"), Some(SkipReason::Blocked));
    let failure = machine.run().failure.clone().unwrap();
    assert_eq!((failure.code, failure.step_id.as_deref()), (FailureCode::LuaError, Some("a")));
    assert!(settle(&mut machine, "b", "other", success(), at(3)).is_err(), "a late result is dropped");
}

#[test]
fn a_failure_that_may_pass_is_retried_with_a_backoff_that_doubles_and_others_are_not() {
    let steps = json!([step("a", &[], json!({ "retry_count": 2, "retry_backoff_s": 4 }))]);
    let mut machine = start(&plan(&steps), &[], &[]);
    begin(&mut machine, "a", ME, at(0)).unwrap();
    settle(&mut machine, "a", ME, failure(FailureCode::LuaTimeout), at(10)).unwrap();
    assert_eq!(machine.next_change(), Some(at(14)));
    assert_eq!(begin(&mut machine, "a", ME, at(13)), Err(Refusal::NotYours), "too early");
    begin(&mut machine, "a", ME, at(14)).unwrap();
    settle(&mut machine, "a", ME, failure(FailureCode::LuaTimeout), at(20)).unwrap();
    assert_eq!(machine.next_change(), Some(at(28)));
    begin(&mut machine, "a", ME, at(28)).unwrap();
    assert_eq!(status(&machine, "a"), "running");
    settle(&mut machine, "a", ME, failure(FailureCode::LuaTimeout), at(30)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Failed, "the retries are used up");

    let mut machine = start(&plan(&steps), &[], &[]);
    begin(&mut machine, "a", ME, at(0)).unwrap();
    settle(&mut machine, "a", ME, failure(FailureCode::LuaError), at(1)).unwrap();
    assert_eq!(machine.run().status, RunStatus::Failed, "a script is deterministic");
}

#[test]
fn a_lost_claim_is_taken_over_with_the_same_attempt() {
    let mut machine = start(&plan(&json!([step("a", &[], json!({ "timeout_s": 5 }))])), &[], &[]);
    let reap = || Command::Reap { dead_before: None, in_order: false };
    let mut now = 0;
    for lost in 1..=20 {
        begin(&mut machine, "a", ME, at(now)).unwrap();
        machine.apply(reap(), at(now + 14)).unwrap();
        assert_eq!(status(&machine, "a"), "running", "the lease holds for the timeout and a margin");
        now += 15;
        machine.apply(reap(), at(now)).unwrap();
        let state = state(&machine, "a");
        assert!(matches!(state, StepState::Queued { attempt: 1, lost: n, .. } if *n == lost), "{state:?}");
        assert!(machine.is_to_be_alone(), "it may be what its process died of");
    }
    assert_eq!(machine.run().status, RunStatus::Running, "others may have been");
}

#[test]
fn a_process_that_knows_earlier_ones_to_be_dead_takes_their_claims_at_once() {
    let mut machine = start(&plan(&json!([step("a", &[], json!({}))])), &[], &[]);
    begin(&mut machine, "a", "dead", at(1)).unwrap();
    machine.apply(Command::Reap { dead_before: Some(at(1)), in_order: false }, at(2)).unwrap();
    assert_eq!(status(&machine, "a"), "running", "begun by a process that lives");
    machine.apply(Command::Reap { dead_before: Some(at(2)), in_order: true }, at(2)).unwrap();
    assert!(!machine.is_to_be_alone(), "that process was told to end");
    begin(&mut machine, "a", ME, at(2)).unwrap();
}

#[test]
fn disabled_steps_are_skipped_in_their_turn_and_their_dependants_go_on() {
    let steps = json!([
        step("a", &[], json!({})),
        step("off", &["a"], json!({ "enabled": false })),
        step("c", &["off"], json!({})),
    ]);
    let mut machine = start(&plan(&steps), &[], &[]);
    assert_eq!(status(&machine, "off"), "pending", "a dependant may read what comes before it");
    begin(&mut machine, "a", ME, at(1)).unwrap();
    settle(&mut machine, "a", ME, success(), at(1)).unwrap();
    assert_eq!(skip_reason(&machine, "off"), Some(SkipReason::StepDisabled));
    assert_eq!(first_ready(&machine, at(1)), machine.plan().find("c"));
    let all_off = start(&plan(&json!([step("a", &[], json!({ "enabled": false }))])), &[], &[]);
    assert_eq!(all_off.run().status, RunStatus::Completed, "nothing to do is done");
}

#[test]
fn roots_without_a_grant_and_excluded_ones_are_left_out_with_what_only_they_lead_to() {
    let steps = json!([
        step("gate", &[], json!({ "no_auto_start": true })),
        step("other", &[], json!({})),
        step("behind", &["gate"], json!({})),
        step("both", &["behind", "other"], json!({})),
    ]);
    let plan = plan(&steps);
    let machine = start(&plan, &[], &[]);
    assert_eq!(skip_reason(&machine, "behind"), Some(SkipReason::OutOfScope));
    assert_eq!(status(&machine, "both"), "pending", "it is led to by a step in scope, too");
    let granted = start(&plan, &["gate"], &["other"]);
    assert_eq!(status(&granted, "behind"), "pending");
    assert_eq!(skip_reason(&granted, "other"), Some(SkipReason::OutOfScope));
}

/// A step of a random graph: which earlier steps it waits for, and what becomes of it.
#[derive(Debug, Clone)]
struct Random {
    depends_on: BTreeSet<usize>,
    enabled: bool,
    keep_errors: bool,
    fails: bool,
}

fn graphs() -> impl Strategy<Value = Vec<Random>> {
    let one = |at: usize| {
        let depends_on = prop::collection::btree_set(0..at.max(1), 0..=at.min(3));
        (depends_on, any::<[bool; 3]>(), 0..8_u8).prop_map(move |(depends_on, [enabled, keep, _], luck)| {
            Random {
                depends_on: depends_on.into_iter().filter(|dep| *dep < at).collect(),
                enabled: enabled || luck > 2,
                keep_errors: keep,
                fails: luck == 0,
            }
        })
    };
    (1..16_usize).prop_flat_map(move |length| (0..length).map(one).collect::<Vec<_>>())
}

fn compiled(steps: &[Random]) -> Arc<Plan> {
    let value = steps.iter().enumerate().map(|(at, random)| {
        let depends_on: Vec<String> = random.depends_on.iter().map(|dep| format!("s{dep}")).collect();
        let depends_on: Vec<&str> = depends_on.iter().map(String::as_str).collect();
        let more = json!({ "enabled": random.enabled, "continue_on_error": random.keep_errors });
        step(&format!("s{at}"), &depends_on, more)
    });
    plan(&Value::Array(value.collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Any graph, its steps settled in any order by sessions that take turns: the run ends, as its steps say.
    #[test]
    fn every_run_ends_as_its_steps_say(steps in graphs(), order in prop::collection::vec(any::<u16>(), 64)) {
        let plan = compiled(&steps);
        let mut machine = start(&plan, &[], &[]);
        let mut begun: Vec<StepIx> = Vec::new();
        for (tick, pick) in order.iter().enumerate() {
            let now = at(i64::try_from(tick).unwrap_or(0));
            if pick % 2 == 0 && let Some(step) = first_ready(&machine, now) {
                machine.apply(Command::Begin { slot: step.into(), owner: format!("{step:?}"), input: None }, now).unwrap();
                begun.push(step);
            } else if !begun.is_empty() {
                let step = begun.swap_remove(usize::from(*pick) % begun.len());
                let outcome = if steps[step.index()].fails { failure(FailureCode::LuaError) } else { success() };
                let command = Command::Settle { slot: step.into(), owner: format!("{step:?}"), outcome, log: Vec::new(), tokens: Tokens::default() };
                let was_running = machine.run().status == RunStatus::Running;
                prop_assert_eq!(machine.apply(command, now).is_ok(), was_running);
            }
        }
        while let Some(step) = begun.pop().or_else(|| first_ready(&machine, at(100))) {
            let owner = format!("{step:?}");
            let _ = machine.apply(Command::Begin { slot: step.into(), owner: owner.clone(), input: None }, at(100));
            let outcome = if steps[step.index()].fails { failure(FailureCode::LuaError) } else { success() };
            let _ = machine.apply(Command::Settle { slot: step.into(), owner, outcome, log: Vec::new(), tokens: Tokens::default() }, at(100));
        }
        check_end(&machine, &steps)?;
        check_events(&machine, &plan)?;
        // What is kept says everything: a machine made from it is the same.
        let again = Machine::resume(plan, machine.run().clone(), machine.page().clone());
        prop_assert_eq!(again.next_work(at(200)), None);
        prop_assert_eq!(again.deadline(at(200)), None);
    }
}

fn check_end(machine: &Machine, steps: &[Random]) -> Result<(), TestCaseError> {
    let run = machine.run();
    prop_assert!(run.status.is_terminal());
    prop_assert!(run.steps.iter().all(StepState::is_settled));
    let fatal = |(at, random): (usize, &Random)| {
        matches!(run.steps[at], StepState::Failed { .. }) && !random.keep_errors
    };
    prop_assert_eq!(run.status == RunStatus::Failed, steps.iter().enumerate().any(fatal));
    for (at, random) in steps.iter().enumerate() {
        let state = &run.steps[at];
        match (run.status, random.enabled, random.fails) {
            (RunStatus::Completed, false, _) => {
                let disabled = matches!(state, StepState::Skipped { reason: SkipReason::StepDisabled, .. });
                prop_assert!(disabled, "{state:?}");
            }
            (RunStatus::Completed, true, true) => prop_assert_eq!(state.as_str(), "failed"),
            (RunStatus::Completed, true, false) => prop_assert_eq!(state.as_str(), "completed"),
            _ => {}
        }
    }
    Ok(())
}

/// Causes before effects, each step settled once, nothing after the end.
fn check_events(machine: &Machine, plan: &Plan) -> Result<(), TestCaseError> {
    let mut settled = BTreeSet::new();
    for (at, event) in machine.page().events.iter().enumerate() {
        prop_assert_eq!(event.seq, at as u64 + 1);
        let Some(step) = event.step.map(|slot| slot.step) else { continue };
        match &event.kind {
            EventKind::StepStarted { .. } => {
                let ready = plan.step(step).depends_on.iter().all(|dep| settled.contains(dep));
                prop_assert!(ready, "{step:?} began before what it waits for was settled");
            }
            EventKind::StepCompleted { .. }
            | EventKind::StepSkipped { .. }
            | EventKind::StepFailed { retry_in_ms: None, .. }
            | EventKind::StepCancelled { .. } => {
                prop_assert!(settled.insert(step), "{step:?} was settled twice");
            }
            _ => {}
        }
    }
    prop_assert_eq!(settled.len(), plan.steps.len());
    let last = &machine.page().events[machine.page().events.len() - 1].kind;
    let ended = matches!(last, EventKind::StateChanged { to, .. } if to.is_terminal());
    prop_assert!(ended, "the last event is the run's end");
    Ok(())
}

#[test]
fn what_attempts_cost_at_models_is_counted_whether_they_succeed_or_not() {
    let retried = step("a", &[], json!({ "retry_count": 1, "retry_backoff_s": 0 }));
    let mut machine = start(&plan(&json!([retried])), &[], &[]);
    let step = machine.plan().find("a").expect("a step");
    let settle = |outcome, tokens_in, tokens_out| Command::Settle {
        slot: step.into(),
        owner: ME.to_owned(),
        outcome,
        log: Vec::new(),
        tokens: Tokens { tokens_in, tokens_out },
    };
    begin(&mut machine, "a", ME, at(1)).expect("begun");
    let failed = Outcome::failure(FailureCode::StepTimeout, "late");
    machine.apply(settle(failed.clone(), 10, 2), at(2)).expect("settled");
    assert!(machine.apply(settle(failed, 100, 100), at(2)).is_err(), "nobody holds it");
    begin(&mut machine, "a", ME, at(3)).expect("begun again");
    machine.apply(settle(success(), 7, 3), at(4)).expect("settled");
    let used = machine.run().usage;
    assert_eq!((used.tokens_in, used.tokens_out, used.steps_executed), (17, 5, 1));
}
