//! Whether the machine's run is what the contract says, and whether what it promises of itself holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::at;
use super::graphs::{Kind, id};
use super::places::{Begun, Pending, Ready, Stand};
use super::reference::{Fate, Model, top};
use super::rounds::LoopStand;
use crate::machine::{Machine, StepState, Wait, Work};
use crate::slot::Slot;
use crate::step_state::Loop;
use crate::{Run, RunStatus};

type Checked = Result<(), TestCaseError>;

/// Everything that holds after every command.
pub(super) fn check(machine: &Machine, model: &Model, now: i64) -> Checked {
    status(machine, model)?;
    let stands = model.loop_stands();
    for (index, fate) in model.fates().iter().enumerate() {
        let state = &machine.run().steps[index];
        prop_assert!(same(machine, model, index, fate), "s{index} is {state:?}, not {fate:?}");
        let rounds = machine.rounds(top(index).step).map(|(_, rounds)| rounds);
        prop_assert_eq!(rounds.is_some(), stands.contains_key(&index), "s{} is a loop under way", index);
        if let Some(rounds) = rounds {
            check_rounds(machine, model, index, rounds, &stands[&index])?;
        }
    }
    check_work(machine, model, now)?;
    check_waits(machine, model)?;
    prop_assert_eq!(machine.deadline(at(now)).is_some(), has_deadline(model), "{:?}", machine.run().status);
    kept(machine, now)
}

fn status(machine: &Machine, model: &Model) -> Checked {
    let run = machine.run();
    prop_assert_eq!(run.status, model.status);
    let failure = run.failure.as_ref().map(|failure| (failure.code, failure.step_id.clone()));
    prop_assert_eq!(failure, model.failure.map(|(code, step)| (code, step.map(id))));
    prop_assert_eq!(run.paused_at, model.paused_at.map(at));
    prop_assert_eq!(run.drain_until, model.drain_until.map(at));
    prop_assert_eq!(run.ended_at.is_some(), run.status.is_terminal());
    let orphans: BTreeSet<_> = run.orphans.iter().copied().collect();
    prop_assert_eq!(orphans.len(), run.orphans.len(), "an orphan stands once");
    prop_assert_eq!(&orphans, &model.orphans);
    Ok(())
}

fn same(machine: &Machine, model: &Model, index: usize, fate: &Fate) -> bool {
    let run = machine.run();
    match (&run.steps[index], fate) {
        (StepState::Pending, Fate::Waits) => true,
        (state, Fate::Open(stand)) => {
            let before = run.attempts_before.get(&top(index).step).copied().unwrap_or(0);
            same_stand(model, top(index), state, stand, before)
        }
        (StepState::Completed { attempt, rejected, .. }, Fate::Completed { attempt: of, rejected: no }) => {
            attempt == of && rejected == no
        }
        (StepState::Failed { attempt, code, .. }, Fate::Failed { attempt: of, code: why }) => {
            attempt == of && code == why
        }
        (StepState::Cancelled { attempt, .. }, Fate::Cancelled { attempt: of }) => attempt == of,
        (StepState::Skipped { reason, .. }, Fate::Skipped(why)) => reason == why,
        _ => false,
    }
}

fn same_stand(model: &Model, slot: Slot, state: &StepState, stand: &Stand, before: u32) -> bool {
    match (state, stand) {
        (StepState::Pending, Stand::Ready(Ready { attempt, from: None, .. })) => *attempt == before + 1,
        (
            StepState::Queued { attempt, not_before, lost },
            Stand::Ready(Ready { attempt: of, from: Some(from), lost: times }),
        ) => attempt == of && *not_before == at(*from) && lost == times,
        (StepState::Running { attempt, lease, started_at, .. }, Stand::UnderWay { attempt: of, begun }) => {
            let until = at(begun.at + model.script_timeout(slot) + 10);
            attempt == of && *started_at == at(begun.at) && lease.owner == begun.owner && lease.until == until
        }
        (StepState::Waiting { attempt, until, on, .. }, Stand::UnderWay { attempt: of, begun }) => {
            attempt == of && *until == begun.until.map(at) && *on == awaited(begun)
        }
        (StepState::Looping { attempt, until, .. }, Stand::UnderWay { attempt: of, .. }) => {
            attempt == of && *until == at(model.loops[&slot.step.index()].until)
        }
        _ => false,
    }
}

fn awaited(begun: &Begun) -> Wait {
    begun.child.map_or(Wait::Person, Wait::Child)
}

fn check_rounds(machine: &Machine, model: &Model, index: usize, rounds: &Loop, stand: &LoopStand) -> Checked {
    prop_assert_eq!((rounds.next, rounds.succeeded), (stand.next, stand.succeeded));
    prop_assert_eq!((&rounds.failed, rounds.condition_met), (&stand.failed, stand.met));
    let open: BTreeSet<u32> = stand.open.keys().chain(stand.held.keys()).copied().collect();
    prop_assert_eq!(&rounds.open.keys().copied().collect::<BTreeSet<_>>(), &open);
    let attempt = model.attempt(index);
    for (number, round) in &rounds.open {
        let made = &model.loops[&index].rounds.get(number);
        if let Some(place) = stand.held.get(number) {
            prop_assert!(round.held.is_some() && round.place == *place, "{round:?} is held");
            let is_put = model.loops[&index].review == Some(*number);
            prop_assert_eq!(matches!(round.state, StepState::Waiting { .. }), is_put);
            continue;
        }
        let (place, inner) = &stand.open[number];
        prop_assert!(round.held.is_none() && round.place == *place, "{round:?} is at {place}");
        prop_assert_eq!(round.started_at, made.and_then(|made| made.since).map(at));
        let slot = super::reference::slot(index, attempt, *number, *place);
        let is_same = same_stand(model, slot, &round.state, inner, round.attempts_before);
        prop_assert!(is_same, "{slot} is {:?}, not {inner:?}", round.state);
    }
    prop_assert_eq!(rounds.is_over(), stand.is_over(rounds.total));
    prop_assert_eq!(machine.rounds(top(index).step).map(|(attempt, _)| attempt), Some(attempt));
    Ok(())
}

fn check_work(machine: &Machine, model: &Model, now: i64) -> Checked {
    let ready: BTreeSet<Slot> = model.ready(now).into_iter().collect();
    prop_assert_eq!(machine.count_ready(at(now)), ready.len());
    let goes_on = matches!(model.status, RunStatus::Running | RunStatus::Draining);
    let closes: BTreeSet<usize> = closes(model).into_iter().filter(|_| goes_on).collect();
    match machine.next_work(at(now)) {
        Some(Work::Begin(slot)) => prop_assert!(ready.contains(&slot), "{slot} is not ready"),
        Some(Work::Close(step)) => prop_assert!(closes.contains(&step.index()), "{step:?} is not over"),
        None => prop_assert!(ready.is_empty() && closes.is_empty(), "{ready:?} {closes:?}"),
    }
    Ok(())
}

fn closes(model: &Model) -> Vec<usize> {
    let close = |pending| match pending {
        Pending::Close { step } => Some(step),
        _ => None,
    };
    model.under_way().into_iter().filter_map(close).collect()
}

fn check_waits(machine: &Machine, model: &Model) -> Checked {
    let children: Vec<_> = machine.children().collect();
    prop_assert_eq!(children, model.children(None).into_iter().collect::<Vec<_>>());
    let people: BTreeSet<Slot> = machine.waiting_for_people().collect();
    let asked = |pending| match pending {
        Pending::Person { slot } | Pending::Review { slot } => Some(slot),
        _ => None,
    };
    prop_assert_eq!(&people, &model.under_way().into_iter().filter_map(asked).collect());
    prop_assert!(people.len() <= 50, "few are asked at a time");
    Ok(())
}

/// Whether somebody has to look at the run again although nothing is done to it.
fn has_deadline(model: &Model) -> bool {
    if !model.orphans.is_empty() {
        return true;
    }
    let under_way = model.under_way();
    let is_worked_on = |pending: &Pending| matches!(pending, Pending::Script { .. } | Pending::Child { .. });
    match model.status {
        status if status.is_terminal() => false,
        RunStatus::Paused => under_way.iter().any(is_worked_on),
        RunStatus::Draining => true,
        _ => {
            // It waits only for people, and they have no end of time.
            let is_person = |(slot, stand): &(Slot, Stand)| match stand {
                Stand::UnderWay { begun, .. } => {
                    matches!(model.specs[slot.step.index()].kind, Kind::Person(_)) && begun.until.is_none()
                }
                _ => false,
            };
            !model.stands().iter().all(is_person)
        }
    }
}

/// What is kept of the run is all of it: a machine made from that is the same.
fn kept(machine: &Machine, now: i64) -> Checked {
    let (run, page) = (machine.run().clone(), machine.page().clone());
    let again = Machine::resume(Arc::clone(machine.plan()), run, page);
    prop_assert_eq!(&again.ready, &machine.ready);
    prop_assert_eq!(&again.looping, &machine.looping);
    prop_assert_eq!((again.open, again.open_tasks), (machine.open, machine.open_tasks));
    for later in [0, 1, 30, 1000] {
        let then = at(now + later);
        prop_assert_eq!(again.next_work(then), machine.next_work(then));
        prop_assert_eq!(again.count_ready(then), machine.count_ready(then));
        prop_assert_eq!(again.deadline(then), machine.deadline(then));
    }
    prop_assert_eq!(again.next_change(), machine.next_change());
    prop_assert!(again.children().eq(machine.children()));
    prop_assert!(again.waiting_for_people().eq(machine.waiting_for_people()));
    Ok(())
}

/// The same through the text in which it is kept.
pub(super) fn written(machine: &Machine) -> Checked {
    let text = serde_json::to_string(machine.run()).expect("writable");
    let read: Run = serde_json::from_str(&text).expect("readable");
    prop_assert_eq!(&read, machine.run());
    let text = serde_json::to_string(machine.page()).expect("writable");
    prop_assert_eq!(&serde_json::from_str::<crate::Page>(&text).expect("readable"), machine.page());
    Ok(())
}
