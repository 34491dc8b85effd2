//! Pause, resume, stop and retry, and how a run ends before its steps do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Failure, Machine, Refusal, RunStatus, SkipReason, Slot, StepState, step_ix};
use crate::FailureCode;
use crate::command::StopMode;
use crate::event::EventKind;
use types::clock::Timestamp;
use workflow::StepIx;

/// How long a graceful stop waits for what is under way.
const LONGEST_DRAIN: Duration = Duration::from_secs(15 * 60);

impl Machine {
    pub(super) fn pause(&mut self, reason: &str, now: Timestamp) {
        self.run.paused_at = Some(now);
        self.change_status(RunStatus::Paused, reason, now);
    }

    pub(super) fn go_on(&mut self, now: Timestamp) {
        self.postpone_waits(now);
        self.change_status(RunStatus::Running, "resumed", now);
        if let Some(failure) = self.run.failure.take() {
            let cause = failure.step_id.as_deref().and_then(|id| self.plan.find(id));
            self.fail_run(failure, cause, now);
            return;
        }
        self.let_held_go();
    }

    /// A pause is over; it has not used up the time of those who wait.
    fn postpone_waits(&mut self, now: Timestamp) {
        let Some(since) = self.run.paused_at.take() else { return };
        let by = now.since(since);
        for state in &mut self.run.steps {
            postpone(state, by);
            if let StepState::Looping { rounds, .. } = state {
                for round in rounds.open.values_mut() {
                    round.started_at = round.started_at.map(|at| at.plus(by));
                    postpone(&mut round.state, by);
                }
            }
        }
        let asked: Vec<Slot> = self.waiting_for_people().collect();
        for slot in asked {
            if let Some(StepState::Waiting { until: Some(until), .. }) = self.state(slot) {
                let until = *until;
                self.postpone_task(slot, until);
            }
        }
    }

    pub(super) fn stop(&mut self, mode: StopMode, now: Timestamp) {
        match mode {
            StopMode::Immediate => self.halt_stopped(FailureCode::RunStopped, "The run was stopped.", now),
            StopMode::Graceful if self.run.status == RunStatus::Draining => {}
            StopMode::Graceful => {
                self.postpone_waits(now);
                self.run.drain_until = Some(now.plus(LONGEST_DRAIN));
                self.change_status(RunStatus::Draining, "stop_requested", now);
            }
        }
    }

    pub(super) fn finish_drain(&mut self, now: Timestamp) {
        self.halt_stopped(FailureCode::RunStopped, "The run was stopped gracefully.", now);
    }

    pub(super) fn halt_stopped(&mut self, code: FailureCode, error: &str, now: Timestamp) {
        self.halt(None, true, now);
        self.run.failure = Some(Failure { code, step_id: None, error: error.to_owned() });
        let reason = if code == FailureCode::DrainTimeout { "drain_timeout" } else { "stopped" };
        self.end(RunStatus::Stopped, reason, now);
    }

    /// Fail fast: what is under way is cancelled, what has not started is blocked.
    pub(super) fn fail_run(&mut self, failure: Failure, cause: Option<StepIx>, now: Timestamp) {
        self.halt(cause, false, now);
        let reason = match (cause, failure.code) {
            (Some(_), _) => "step_failed",
            (None, FailureCode::InsufficientCredits) => "insufficient_credits",
            (None, FailureCode::WorkerLost) => "worker_lost",
            (None, _) => "stalled",
        };
        self.run.failure = Some(failure);
        self.end(RunStatus::Failed, reason, now);
    }

    /// There are no credits for another step.
    pub(super) fn run_dry(&mut self, now: Timestamp) {
        let error = "The workspace has no credits left for the next step; top up, and then retry the run.";
        let code = FailureCode::InsufficientCredits;
        self.fail_run(Failure { code, step_id: None, error: error.to_owned() }, None, now);
    }

    fn halt(&mut self, caused_by: Option<StepIx>, stopped: bool, now: Timestamp) {
        self.ready.clear();
        for index in 0..self.run.steps.len() {
            let step = step_ix(index);
            match self.run.steps[index] {
                StepState::Running { attempt, started_at, .. }
                | StepState::Waiting { attempt, started_at, .. }
                | StepState::Looping { attempt, started_at, .. } => {
                    self.abandon(step.into());
                    self.set(step.into(), StepState::Cancelled { attempt, started_at, at: now });
                    let kind = EventKind::StepCancelled { caused_by, stopped };
                    self.page.push(now, Some(step.into()), kind);
                }
                _ => {}
            }
        }
        for index in 0..self.run.steps.len() {
            let step = step_ix(index);
            if !self.run.steps[index].is_settled() {
                let reason = SkipReason::Blocked;
                if let StepState::Queued { .. } = self.run.steps[index] {
                    // A later retry counts on from there.
                    self.run.attempts_before.insert(step, self.attempts_made(step.into()));
                }
                self.set(step.into(), StepState::Skipped { reason, at: now });
                self.page.push(now, Some(step.into()), EventKind::StepSkipped { reason });
            }
        }
        self.looping.clear();
        self.open = 0;
    }

    pub(super) fn retry(
        &mut self,
        from: Option<StepIx>,
        input_keys: Vec<String>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut again: BTreeSet<StepIx> = (0..self.run.steps.len())
            .map(step_ix)
            .filter(|step| match &self.run.steps[step.index()] {
                StepState::Failed { .. } => !self.plan.step(*step).step.continue_on_error,
                StepState::Cancelled { .. } | StepState::Skipped { reason: SkipReason::Blocked, .. } => true,
                _ => false,
            })
            .collect();
        if let Some(from) = from {
            if self.plan.ancestors(from).any(|before| again.contains(&before)) {
                return Err(Refusal::NotReached);
            }
            again.insert(from);
            again.extend(self.plan.descendants(from));
        }
        self.run.retries += 1;
        self.run.failure = None;
        self.run.ended_at = None;
        self.change_status_with(RunStatus::Running, "retried", input_keys, now);
        for step in &again {
            if let Some(attempt) = self.run.steps[step.index()].attempt() {
                self.run.attempts_before.insert(*step, attempt);
            }
            self.set((*step).into(), StepState::Pending);
        }
        self.derive();
        for step in std::mem::take(&mut self.ready) {
            self.arrive(step, now);
        }
        Ok(())
    }
}

fn postpone(state: &mut StepState, by: Duration) {
    match state {
        StepState::Waiting { until: Some(until), .. } | StepState::Looping { until, .. } => {
            *until = until.plus(by);
        }
        _ => {}
    }
}
