//! Attempts at single steps: how they begin, and what becomes of the step when one has ended.

use std::time::Duration;

use super::{LONGEST_BACKOFF, Machine, Outcome, Refusal, RunStatus, Slot, StepState, millis};
use crate::event::EventKind;
use crate::failure::Failure;
use crate::step_state::Lease;
use crate::{FailureCode, StepFailure};
use types::clock::Timestamp;
use types::json_text::JsonText;
use types::retry::Backoff;
use workflow::StepIx;

/// How long a lease outlives its step's timeout: the time to notice the end and to commit it.
const LEASE_MARGIN: Duration = Duration::from_secs(10);
/// The most characters of a failure in the run's row, which holds up to 500 of them; its event has the whole.
const LONGEST_KEPT_ERROR: usize = 300;

impl Machine {
    /// The next attempt at a step that may begin now, and how many workers have died on it.
    pub(super) fn to_begin(&self, slot: Slot, now: Timestamp) -> Result<(u32, u32), Refusal> {
        match self.state(slot) {
            Some(StepState::Pending) if slot.inner.is_some() => {
                if self.is_held(slot) {
                    return Err(Refusal::NotYours);
                }
                Ok((self.attempts_before(slot) + 1, 0))
            }
            Some(StepState::Pending) if self.ready.contains(&slot.step) => {
                Ok((self.attempts_before(slot) + 1, 0))
            }
            Some(StepState::Queued { attempt, not_before, lost }) if *not_before <= now => {
                Ok((*attempt, *lost))
            }
            _ => Err(Refusal::NotYours),
        }
    }

    /// Attempts whose numbers go on but whose counts do not.
    pub(super) fn attempts_before(&self, slot: Slot) -> u32 {
        match slot.inner {
            None => self.run.attempts_before.get(&slot.step).copied().unwrap_or(0),
            Some(inner) => self
                .rounds(slot.step)
                .and_then(|(_, rounds)| rounds.open.get(&inner.round))
                .map_or(0, |round| round.attempts_before),
        }
    }

    /// How many attempts have begun. One that is queued has not, unless it is the worker that was lost.
    pub(super) fn attempts_made(&self, slot: Slot) -> u32 {
        match self.state(slot) {
            Some(StepState::Queued { attempt, lost: 0, .. }) => attempt.saturating_sub(1),
            Some(state) => state.attempt().unwrap_or_else(|| self.attempts_before(slot)),
            None => 0,
        }
    }

    pub(super) fn begin(
        &mut self,
        slot: Slot,
        owner: String,
        input: Option<JsonText>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if matches!(self.state(slot), Some(StepState::Running { lease, .. }) if lease.owner == owner) {
            return Ok(());
        }
        let (attempt, lost) = self.to_begin(slot, now)?;
        let timeout = self.timeout(slot).unwrap_or_default();
        let lease = Lease { owner, until: now.plus(timeout + LEASE_MARGIN) };
        self.note_begin(slot, attempt, input, now);
        self.set(slot, StepState::Running { attempt, started_at: now, lease, lost });
        Ok(())
    }

    pub(super) fn note_begin(&mut self, slot: Slot, attempt: u32, input: Option<JsonText>, now: Timestamp) {
        match slot.inner {
            None => {
                self.ready.remove(&slot.step);
            }
            Some(inner) => {
                if let Some(round) = self.round_mut(slot.step, inner.round) {
                    round.started_at.get_or_insert(now);
                }
            }
        }
        if let Some(input) = input {
            self.page.put_input(slot, input);
        }
        if !self.is_condition(slot) {
            self.page.push(now, Some(slot), EventKind::StepStarted { attempt });
        }
    }

    pub(super) fn settle(
        &mut self,
        slot: Slot,
        owner: &str,
        outcome: Outcome,
        log: Vec<String>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (attempt, started_at) = match self.state(slot) {
            Some(StepState::Running { attempt, started_at, lease, .. }) if lease.owner == owner => {
                (*attempt, *started_at)
            }
            _ => return Err(Refusal::NotYours),
        };
        if !log.is_empty() {
            self.page.push(now, Some(slot), EventKind::StepLog { lines: log });
        }
        self.conclude(slot, attempt, started_at, outcome, now);
        Ok(())
    }

    /// An attempt is over.
    pub(super) fn conclude(
        &mut self,
        slot: Slot,
        attempt: u32,
        started_at: Timestamp,
        outcome: Outcome,
        now: Timestamp,
    ) {
        match outcome {
            Outcome::Success { result, bytes } if slot.inner.is_some() => {
                self.inner_succeeded(slot, started_at, result, bytes, now);
            }
            Outcome::Success { result, bytes } => {
                self.complete(slot.step, attempt, started_at, (result, bytes), false, now);
            }
            Outcome::Failure(failure) => self.fail_attempt(slot, attempt, started_at, failure, now),
        }
    }

    /// A step of the graph has its result.
    pub(super) fn complete(
        &mut self,
        step: StepIx,
        attempt: u32,
        started_at: Timestamp,
        (result, bytes): (JsonText, usize),
        rejected: bool,
        now: Timestamp,
    ) {
        // A loop executes nothing itself: its inner steps have counted.
        if !self.looping.remove(&step) {
            self.note_executed(step.into(), started_at, now);
        }
        self.set(step.into(), StepState::Completed { attempt, started_at, ended_at: now, rejected });
        self.page.put_result(step.into(), result, bytes);
        let duration_ms = millis(now.since(started_at));
        self.page.push(now, Some(step.into()), EventKind::StepCompleted { duration_ms });
        self.release(step, now);
        if self.plan.episodic && self.plan.step(step).step.terminal {
            self.close_episode(now);
        }
    }

    pub(super) fn fail_attempt(
        &mut self,
        slot: Slot,
        attempt: u32,
        started_at: Timestamp,
        failure: StepFailure,
        now: Timestamp,
    ) {
        let StepFailure { code, error, may_pass, jitter, retry_after } = failure;
        let tried = attempt.saturating_sub(self.attempts_before(slot));
        let retry_in = self
            .step_of(slot)
            .filter(|step| may_pass && tried <= step.retry_count)
            .map(|step| {
                let backoff = Backoff::new(step.retry_backoff_s.duration(), LONGEST_BACKOFF);
                backoff.wait(tried.saturating_sub(1), jitter).max(retry_after.unwrap_or_default())
            })
            .map(|wait| wait.min(LONGEST_BACKOFF));
        let kind =
            EventKind::StepFailed { attempt, code, error: error.clone(), retry_in_ms: retry_in.map(millis) };
        if !self.is_condition(slot) {
            self.page.push(now, Some(slot), kind);
        }
        if slot.inner.is_none() {
            self.looping.remove(&slot.step);
        }
        if let Some(wait) = retry_in {
            self.set(slot, StepState::Queued { attempt: attempt + 1, not_before: now.plus(wait), lost: 0 });
        } else if slot.inner.is_some() {
            self.inner_failed(slot, code, &error, now);
        } else {
            self.fail_step(slot.step, attempt, started_at, (code, error), now);
        }
    }

    /// A step of the graph has failed for good.
    pub(super) fn fail_step(
        &mut self,
        step: StepIx,
        attempt: u32,
        started_at: Timestamp,
        (code, error): (FailureCode, String),
        now: Timestamp,
    ) {
        let kept = shortened(&error);
        self.set(step.into(), StepState::Failed { attempt, started_at, ended_at: now, code, error: kept });
        let planned = &self.plan.step(step).step;
        if planned.continue_on_error {
            self.release(step, now);
            return;
        }
        let failure = Failure { code, step_id: Some(planned.id.clone()), error };
        match self.run.status {
            RunStatus::Running => self.fail_run(failure, Some(step), now),
            // A paused run fails when it is resumed; a draining one ends as it was told to.
            RunStatus::Paused => {
                self.open = self.open.saturating_sub(1);
                self.run.failure.get_or_insert(failure);
            }
            _ => self.open = self.open.saturating_sub(1),
        }
    }
}

pub(super) fn shortened(error: &str) -> String {
    match error.char_indices().nth(LONGEST_KEPT_ERROR) {
        Some((end, _)) => format!("{}…", error.split_at(end).0),
        None => error.to_owned(),
    }
}
