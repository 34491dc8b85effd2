//! What follows from a run's state: which steps may begin, whose they are, when somebody must look again.

use std::time::Duration;

use super::{MOST_OPEN_TASKS, Machine, RunStatus, Slot, StepState, Wait, step_ix};
use crate::slot::Inner;
use crate::step_state::Loop;
use types::clock::Timestamp;
use workflow::{StepIx, StepKind};

/// How long a ready step may wait for a worker before the sweep sends another message.
const PICK_UP: Duration = Duration::from_secs(30);
/// How long whoever was sent a message for that time may take to bring about a change that time brings.
const CHANGE_MARGIN: Duration = Duration::from_secs(5);
/// How long a parent relies on the message that its child sends at its end, before it looks itself: as long again as
/// it has waited, within these bounds, so that a child that waits for a person for weeks costs next to nothing.
const CHILD_LOOK: (Duration, Duration) = (Duration::from_secs(15 * 60), Duration::from_secs(6 * 3600));

/// What a worker may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Begin a step, or an inner step of an open round.
    Begin(Slot),
    /// Put together the result of a loop whose rounds are over.
    Close(StepIx),
}

impl Machine {
    /// Every step that is not settled and not merely pending, and the inner step of every open round.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (Slot, &StepState)> {
        self.run.steps.iter().enumerate().flat_map(|(index, state)| {
            let step = step_ix(index);
            let rounds = match state {
                StepState::Looping { attempt, rounds, .. } => Some((*attempt, rounds)),
                _ => None,
            };
            let inner =
                rounds.into_iter().flat_map(move |(attempt, rounds)| open_slots(step, attempt, rounds));
            let itself =
                (*state != StepState::Pending && !state.is_settled()).then_some((step.into(), state));
            itself.into_iter().chain(inner)
        })
    }

    /// What may be done now.
    pub fn next_work(&self, now: Timestamp) -> Option<Work> {
        self.next_work_of(now, |_| true)
    }

    /// What may be done now, among the steps that are wanted.
    pub fn next_work_of(&self, now: Timestamp, wanted: impl Fn(Slot) -> bool) -> Option<Work> {
        let is_over = |step: &&StepIx| self.rounds(**step).is_some_and(|(_, rounds)| rounds.is_over());
        let close = || self.looping.iter().find(is_over).map(|step| Work::Close(*step));
        match self.run.status {
            RunStatus::Running => {
                close().or_else(|| self.begins(now).find(|slot| wanted(*slot)).map(Work::Begin))
            }
            // Putting a result together starts nothing.
            RunStatus::Draining => close(),
            _ => None,
        }
    }

    /// What could begin now: rounds of loops first, so that what was begun comes to its end.
    fn begins(&self, now: Timestamp) -> impl Iterator<Item = Slot> {
        let is_due = move |state: &StepState| match state {
            StepState::Pending => true,
            StepState::Queued { not_before, .. } => *not_before <= now,
            _ => false,
        };
        let inner = self.looping.iter().filter_map(|step| Some((*step, self.rounds(*step)?)));
        let inner = inner.flat_map(|(step, (attempt, rounds))| open_slots(step, attempt, rounds));
        let inner =
            inner.filter(move |(slot, state)| is_due(state) && !self.is_held(*slot)).map(|(slot, _)| slot);
        let ready = self.ready.iter().copied().filter(|step| self.has_room_for(*step));
        let queued = self.run.steps.iter().enumerate().filter(move |(index, state)| match state {
            StepState::Queued { not_before, .. } => *not_before <= now && self.has_room_for(step_ix(*index)),
            _ => false,
        });
        inner.chain(ready.map(Slot::from)).chain(queued.map(|(index, _)| step_ix(index).into()))
    }

    /// Whether another human task may be put now.
    fn has_room_for(&self, step: StepIx) -> bool {
        let is_task = matches!(self.plan.step(step).step.kind, StepKind::HumanTask(_));
        !is_task || self.has_room(MOST_OPEN_TASKS)
    }

    /// How many steps could begin now.
    pub fn count_ready(&self, now: Timestamp) -> usize {
        self.count_ready_of(now, |_| true)
    }

    /// How many steps of those that are wanted could begin now.
    pub fn count_ready_of(&self, now: Timestamp, wanted: impl Fn(Slot) -> bool) -> usize {
        match self.run.status {
            RunStatus::Running => self.begins(now).filter(|slot| wanted(*slot)).count(),
            _ => 0,
        }
    }

    /// The id of a step; of the loop, for the condition of a `while`.
    pub fn step_id(&self, slot: Slot) -> &str {
        self.step_of(slot).map_or(&self.plan.step(slot.step).step.id, |step| &step.id)
    }

    /// Since when a worker is on the step.
    pub fn running_since(&self, slot: Slot) -> Option<Timestamp> {
        match self.state(slot)? {
            StepState::Running { started_at, .. } => Some(*started_at),
            _ => None,
        }
    }

    /// What names the attempt that is under way at a step to the outside, whoever makes it and however often:
    /// `run_id/step_id[/index]/attempt`. Where that would name two things it says more: an inner step whose id is
    /// also in another loop is called `loop.step`, and in a loop's later attempts the last part is
    /// `loop's attempt.attempt`.
    pub fn attempt_key(&self, slot: Slot) -> Option<String> {
        let run_id = self.run.key.run_id;
        let attempt = self.state(slot)?.attempt()?;
        let id = &self.step_of(slot)?.id;
        let Some(inner) = slot.inner else { return Some(format!("{run_id}/{id}/{attempt}")) };
        let bodies = self.plan.steps.iter().filter_map(|step| step.body.as_ref());
        let is_there = |body: &&workflow::Body| body.steps.iter().any(|other| other.step.id == *id);
        let id = match bodies.filter(is_there).count() {
            0 | 1 => id.clone(),
            _ => format!("{}.{id}", self.plan.step(slot.step).step.id),
        };
        let index = inner.round;
        Some(match inner.attempt {
            1 => format!("{run_id}/{id}/{index}/{attempt}"),
            of_loop => format!("{run_id}/{id}/{index}/{of_loop}.{attempt}"),
        })
    }

    /// Whether this session holds the step.
    pub fn is_held_by(&self, slot: Slot, owner: &str) -> bool {
        matches!(self.state(slot), Some(StepState::Running { lease, .. }) if lease.owner == owner)
    }

    /// Until when the session that holds the step keeps others from it.
    pub fn lease_of(&self, slot: Slot) -> Option<Timestamp> {
        match self.state(slot) {
            Some(StepState::Running { lease, .. }) => Some(lease.until),
            _ => None,
        }
    }

    /// Whether a session other than this one holds a step.
    pub fn is_shared(&self, owner: &str) -> bool {
        let is_other =
            |state: &StepState| matches!(state, StepState::Running { lease, .. } if lease.owner != owner);
        self.unsettled().any(|(_, state)| is_other(state))
    }

    /// Whether this step waits for this child.
    pub fn waits_for(&self, slot: Slot, child: types::ids::RunId) -> bool {
        matches!(self.state(slot), Some(StepState::Waiting { on: Wait::Child(id), .. }) if *id == child)
    }

    /// Whether a step waits for somebody, something or its next attempt.
    pub(super) fn is_waiting(&self) -> bool {
        let waits = |state: &StepState| matches!(state, StepState::Waiting { .. } | StepState::Queued { .. });
        self.unsettled().any(|(_, state)| waits(state))
    }

    /// Whether a worker, a person or a child run is on a step, or a loop has yet to be put together.
    pub(super) fn is_under_way(&self) -> bool {
        let is = |state: &StepState| match state {
            StepState::Running { .. } | StepState::Waiting { .. } => true,
            StepState::Looping { rounds, .. } => rounds.is_over(),
            _ => false,
        };
        self.unsettled().any(|(slot, state)| is(state) && !self.is_held(slot))
    }

    /// How long an attempt that begins now may take: no longer than its round and its loop.
    pub fn time_for(&self, slot: Slot, now: Timestamp) -> Duration {
        let mut time = self.timeout(slot).unwrap_or_default();
        let Some(inner) = slot.inner else { return time };
        if let StepState::Looping { until, .. } = &self.run.steps[slot.step.index()] {
            time = time.min(until.since(now));
        }
        if let Some(until) = self.round_deadline(slot.step, inner) {
            time = time.min(until.since(now));
        }
        time
    }

    /// The earliest point in time, still to come, at which something changes by itself: a retry, or the end of
    /// a wait.
    pub fn next_change(&self) -> Option<Timestamp> {
        let time_runs = self.run.status != RunStatus::Paused;
        let of = |(slot, state): (Slot, &StepState)| {
            let waits = match state {
                StepState::Queued { not_before, .. } => {
                    (self.run.status == RunStatus::Running).then_some(*not_before)
                }
                StepState::Waiting { until, .. } if time_runs => *until,
                StepState::Looping { until, .. } if time_runs => Some(*until),
                _ => None,
            };
            let round = slot.inner.filter(|_| time_runs && !self.is_held(slot));
            let round = round.and_then(|inner| self.round_deadline(slot.step, inner));
            [waits, round].into_iter().flatten().min()
        };
        self.unsettled().filter_map(of).chain(self.run.drain_until).min()
    }

    /// When somebody must look at this run again, whatever becomes of messages and workers; none when there is
    /// nothing to do for anybody.
    pub fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let pick_up = now.plus(PICK_UP);
        if !self.run.orphans.is_empty() {
            return Some(pick_up);
        }
        if self.run.status.is_terminal() {
            return None;
        }
        let of = |(_, state): (Slot, &StepState)| match state {
            StepState::Running { lease, .. } => Some(lease.until),
            StepState::Waiting { on: Wait::Child(_), started_at, .. } => {
                Some(now.plus(now.since(*started_at).clamp(CHILD_LOOK.0, CHILD_LOOK.1)))
            }
            _ => None,
        };
        let leases = self.unsettled().filter_map(of).min();
        let changes = self.next_change().map(|at| at.max(now).plus(CHANGE_MARGIN));
        let work = self.next_work(now).map(|_| pick_up);
        let alone = self.isolated().map(|held| held.until);
        let next = [leases, changes, work, alone].into_iter().flatten().min();
        match self.run.status {
            // Something must bring a run on that is neither waiting nor worked on.
            RunStatus::Running if !self.is_waiting() => next.or(Some(pick_up)),
            _ => next,
        }
    }
}

fn open_slots(step: StepIx, attempt: u32, rounds: &Loop) -> impl Iterator<Item = (Slot, &StepState)> {
    rounds.open.iter().map(move |(&round, open)| {
        let inner = Inner { attempt, round, place: open.place };
        (Slot { step, inner: Some(inner) }, &open.state)
    })
}
