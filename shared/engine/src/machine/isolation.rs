//! A run that takes its process with it: it is executed alone, and only what a process died of that was alone with it is held
//! against it.

use super::{Failure, Machine, Refusal, Slot, StepState};
use crate::FailureCode;
use crate::command::StepFailure;
use crate::state::{Isolated, Isolation};
use types::clock::Timestamp;

/// How often a process dies of a run that is alone in it before that is held responsible.
const MAX_LOST_ALONE: u32 = 3;

impl Machine {
    /// Whether the run is to be executed alone in its process.
    pub const fn is_to_be_alone(&self) -> bool {
        self.run.isolation.is_some()
    }

    /// Whether this session is alone with the run.
    pub fn is_alone_with(&self, owner: &str) -> bool {
        self.isolated().is_some_and(|held| held.owner == owner)
    }

    /// Whether another session is alone with the run, as far as is known.
    pub fn is_alone_with_another(&self, owner: &str) -> bool {
        self.isolated().is_some_and(|held| held.owner != owner)
    }

    pub(super) fn isolated(&self) -> Option<&Isolated> {
        self.run.isolation.as_ref()?.held.as_ref()
    }

    /// How often a process has died of the run.
    pub fn lost_alone(&self) -> u32 {
        self.run.isolation.as_ref().map_or(0, |isolation| isolation.lost)
    }

    /// A process died with the run in it, and others.
    pub(super) fn suspect(&mut self) {
        self.run.isolation.get_or_insert_default();
        self.changed_silently = true;
    }

    pub(super) fn isolate(
        &mut self,
        owner: String,
        process: String,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.is_alone_with_another(&owner) {
            return Err(Refusal::NotYours);
        }
        let isolation = self.run.isolation.get_or_insert_default();
        isolation.held = Some(Isolated { owner, process, since: now, until });
        self.changed_silently = true;
        Ok(())
    }

    pub(super) fn rejoin(&mut self, owner: &str) -> Result<(), Refusal> {
        if !self.is_alone_with(owner) {
            return Err(Refusal::NotYours);
        }
        self.run.isolation = None;
        self.changed_silently = true;
        Ok(())
    }

    pub(super) fn recover(
        &mut self,
        process: &str,
        dead_before: Option<Timestamp>,
        in_order: bool,
        now: Timestamp,
    ) {
        let Some(Isolated { since, until, process: theirs, .. }) = self.isolated() else { return };
        let was_before = dead_before.is_some_and(|dead| *since < dead);
        if !was_before && *until > now {
            return;
        }
        let is_lost = theirs != process && !(was_before && in_order);
        let lost = self.lost_alone() + u32::from(is_lost);
        self.run.isolation = Some(Isolation { lost, held: None });
        self.changed_silently = true;
        if lost >= MAX_LOST_ALONE {
            self.hold_responsible(now);
        }
    }

    fn hold_responsible(&mut self, now: Timestamp) {
        let error = format!(
            "The process died {MAX_LOST_ALONE} times while nothing but this run was executed in it. Let the step handle less at \
             a time, and then retry the run."
        );
        let running = self.unsettled().find_map(|(slot, state)| match state {
            StepState::Running { attempt, started_at, .. } => Some((slot, *attempt, *started_at)),
            _ => None,
        });
        match running {
            Some((slot, attempt, started_at)) => self.lose_attempt(slot, attempt, started_at, error, now),
            None => self.fail_run(Failure { code: FailureCode::WorkerLost, step_id: None, error }, None, now),
        }
        // Whoever retries it, or what comes after the step, is no less careful.
        self.run.isolation = Some(Isolation::default());
    }

    fn lose_attempt(
        &mut self,
        slot: Slot,
        attempt: u32,
        started_at: Timestamp,
        error: String,
        now: Timestamp,
    ) {
        let failure = StepFailure::new(FailureCode::WorkerLost, error);
        self.fail_attempt(slot, attempt, started_at, failure, now);
    }
}
