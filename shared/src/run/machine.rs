//! The transition function of a run: state and command in, new state and events out. No I/O, no clock, no
//! randomness: time and jitter come with the command.
//!
//! What has to be done next (which steps are ready, when somebody must look again) is derived from the state
//! and never stored, so that a lost message or a crash cannot lose it.

mod queries;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::event::{EventKind, SkipReason};
use super::failure::{Failure, FailureCode};
use super::page::Page;
use super::state::{Lease, NewRun, Run, RunStatus, StepState, Usage};
use crate::clock::Timestamp;
use crate::workflow::{Plan, StepIx};

/// How long a lease outlives its step's timeout: the time to notice the end and to commit it.
const LEASE_MARGIN: Duration = Duration::from_secs(10);
/// No wait between two attempts is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// How often workers may die on one attempt before the step is held responsible.
const MOST_LOST: u32 = 5;
/// The most characters of a failure in the run's row, which holds up to 500 of them; its event has the whole.
const LONGEST_KEPT_ERROR: usize = 300;
/// What a run may stand still beyond its longest step timeout and backoff.
const STALL_MARGIN: Duration = Duration::from_secs(15 * 60);

/// What may be done to a run.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take a ready step, or renew one's own claim on it.
    Begin {
        /// The step.
        step: StepIx,
        /// The session that takes it.
        owner: String,
        /// The fields it is called with, after expansion; none when it has no such fields.
        input: Option<Arc<Value>>,
    },
    /// Settle a ready step without executing it.
    Skip {
        /// The step.
        step: StepIx,
        /// Why.
        reason: SkipReason,
    },
    /// Say how an attempt ended.
    Settle {
        /// The step.
        step: StepIx,
        /// The session that holds it.
        owner: String,
        /// How it ended.
        outcome: Outcome,
        /// What the step printed.
        log: Vec<String>,
    },
    /// Give up claims whose lease is over, and fail a run that stands still for too long.
    Reap {
        /// Leases of attempts that began earlier are over whatever they say: their workers are known to be
        /// dead. The local process sets it to its own start.
        dead_before: Option<Timestamp>,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With a result, and the length of its JSON.
    Success {
        /// The result.
        result: Arc<Value>,
        /// Its length as JSON.
        bytes: usize,
    },
    /// With a failure.
    Failure(StepFailure),
}

/// A failed attempt.
#[derive(Debug, Clone)]
pub struct StepFailure {
    /// Why.
    pub code: FailureCode,
    /// A sentence for a person.
    pub error: String,
    /// Between 0 and 1: which part of the backoff to wait.
    pub jitter: f64,
    /// What the other side asked us to wait.
    pub retry_after: Option<Duration>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The run is not running.
    NotRunning(RunStatus),
    /// The step is not ready, or somebody else has it.
    NotYours,
}

/// A run in memory, with what follows from its state.
#[derive(Debug, Clone)]
pub struct Machine {
    plan: Arc<Plan>,
    run: Run,
    page: Page,
    /// By step: how many of the steps it depends on still hold it up.
    held_by: Vec<u16>,
    /// Pending steps that nothing holds up.
    ready: BTreeSet<StepIx>,
    /// Steps that are not settled.
    open: usize,
}

impl Machine {
    /// A new run, begun: its roots are ready, or it is already over when there is nothing to execute.
    pub fn start(plan: Arc<Plan>, new: NewRun, now: Timestamp) -> Self {
        let run = Run {
            key: new.key,
            workflow_id: new.workflow_id,
            version: new.version,
            trigger_type: new.trigger_type,
            external_user_id: new.external_user_id,
            status: RunStatus::Pending,
            started_at: now,
            ended_at: None,
            progress_at: now,
            failure: None,
            usage: Usage::default(),
            steps: vec![StepState::Pending; plan.steps.len()],
        };
        let mut machine = Self::resume(plan, run, Page::starting_at(1));
        let kind = EventKind::RunStarted { trigger_type: new.trigger_type, version: new.version };
        machine.page.push(now, None, kind);
        machine.change_status(RunStatus::Running, "started", now);
        let roots: Vec<StepIx> = std::mem::take(&mut machine.ready).into_iter().collect();
        for root in roots {
            let step = &machine.plan.step(root).step;
            let waits = step.no_auto_start && !new.granted.contains(&step.id);
            if waits || new.excluded.contains(&step.id) {
                machine.skip(root, SkipReason::OutOfScope, now);
            } else {
                machine.arrive(root, now);
            }
        }
        machine.finish_if_done(now);
        machine
    }

    /// A run as it was kept.
    pub fn resume(plan: Arc<Plan>, run: Run, page: Page) -> Self {
        let mut held_by = vec![0; plan.steps.len()];
        let mut ready = BTreeSet::new();
        let mut open = 0;
        for (index, planned) in plan.steps.iter().enumerate() {
            let step = step_ix(index);
            let holds = |dep: &&StepIx| !lets_go(&plan, &run, **dep);
            held_by[index] =
                u16::try_from(planned.depends_on.iter().filter(holds).count()).unwrap_or(u16::MAX);
            if !run.steps[index].is_settled() {
                open += 1;
            }
            if run.steps[index] == StepState::Pending && held_by[index] == 0 {
                ready.insert(step);
            }
        }
        Self { plan, run, page, held_by, ready, open }
    }

    /// The graph it executes.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Its state.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The newest page of its history.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Closes the newest page and begins another.
    pub fn close_page(&mut self) -> Page {
        let next = Page::starting_at(self.page.next_seq());
        std::mem::replace(&mut self.page, next)
    }

    /// Applies a command. A refused one has changed nothing.
    ///
    /// # Errors
    /// When the state does not allow it.
    pub fn apply(&mut self, command: Command, now: Timestamp) -> Result<(), Refusal> {
        if self.run.status != RunStatus::Running {
            return Err(Refusal::NotRunning(self.run.status));
        }
        match command {
            Command::Begin { step, owner, input } => self.begin(step, owner, input, now)?,
            Command::Skip { step, reason } => {
                if !self.ready.contains(&step) {
                    return Err(Refusal::NotYours);
                }
                self.skip(step, reason, now);
            }
            Command::Settle { step, owner, outcome, log } => self.settle(step, &owner, outcome, log, now)?,
            Command::Reap { dead_before } => {
                self.reap(dead_before, now);
                return Ok(());
            }
        }
        self.run.progress_at = now;
        self.finish_if_done(now);
        Ok(())
    }

    fn state(&self, step: StepIx) -> &StepState {
        &self.run.steps[usize::from(step.0)]
    }

    fn set(&mut self, step: StepIx, state: StepState) {
        self.run.steps[usize::from(step.0)] = state;
    }

    fn begin(
        &mut self,
        step: StepIx,
        owner: String,
        input: Option<Arc<Value>>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (attempt, lost) = match self.state(step) {
            StepState::Pending if self.ready.contains(&step) => (1, 0),
            StepState::Queued { attempt, not_before, lost } if *not_before <= now => (*attempt, *lost),
            StepState::Running { lease, .. } if lease.owner == owner => return Ok(()),
            _ => return Err(Refusal::NotYours),
        };
        self.ready.remove(&step);
        let timeout = self.plan.step(step).timeout.unwrap_or_default();
        let lease = Lease { owner, until: now.plus(timeout + LEASE_MARGIN) };
        self.set(step, StepState::Running { attempt, started_at: now, lease, lost });
        if let Some(input) = input {
            self.page.weight += serde_json::to_string(&*input).map_or(0, |text| text.len());
            self.page.inputs.insert(step, input);
        }
        self.page.push(now, Some(step), EventKind::StepStarted { attempt });
        Ok(())
    }

    fn settle(
        &mut self,
        step: StepIx,
        owner: &str,
        outcome: Outcome,
        log: Vec<String>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (attempt, started_at) = match self.state(step) {
            StepState::Running { attempt, started_at, lease, .. } if lease.owner == owner => {
                (*attempt, *started_at)
            }
            _ => return Err(Refusal::NotYours),
        };
        if !log.is_empty() {
            self.page.push(now, Some(step), EventKind::StepLog { lines: log });
        }
        match outcome {
            Outcome::Success { result, bytes } => {
                self.set(step, StepState::Completed { attempt, started_at, ended_at: now });
                self.run.usage.steps_executed += 1;
                self.page.put_result(step, result, bytes);
                let duration_ms = u64::try_from(now.since(started_at).as_millis()).unwrap_or(u64::MAX);
                self.page.push(now, Some(step), EventKind::StepCompleted { duration_ms });
                self.release(step, now);
            }
            Outcome::Failure(failure) => self.fail_attempt(step, attempt, started_at, failure, now),
        }
        Ok(())
    }

    fn fail_attempt(
        &mut self,
        step: StepIx,
        attempt: u32,
        started_at: Timestamp,
        failure: StepFailure,
        now: Timestamp,
    ) {
        let StepFailure { code, error, jitter, retry_after } = failure;
        let planned = &self.plan.step(step).step;
        let retry_in = (code.is_transient() && attempt <= planned.retry_count)
            .then(|| {
                backoff(planned.retry_backoff_s.duration(), attempt, jitter)
                    .max(retry_after.unwrap_or_default())
            })
            .map(|wait| wait.min(LONGEST_BACKOFF));
        let retry_in_ms = retry_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let kind = EventKind::StepFailed { attempt, code, error: error.clone(), retry_in_ms };
        self.page.push(now, Some(step), kind);
        if let Some(wait) = retry_in {
            self.set(step, StepState::Queued { attempt: attempt + 1, not_before: now.plus(wait), lost: 0 });
            return;
        }
        let goes_on = planned.continue_on_error;
        let kept = shortened(&error);
        self.set(step, StepState::Failed { attempt, started_at, ended_at: now, code, error: kept });
        if goes_on {
            self.release(step, now);
        } else {
            let step_id = self.plan.step(step).step.id.clone();
            self.fail_run(Failure { code, step_id: Some(step_id), error }, Some(step), now);
        }
    }

    /// Fail fast: what is under way is cancelled, what has not started is blocked.
    fn fail_run(&mut self, failure: Failure, cause: Option<StepIx>, now: Timestamp) {
        self.ready.clear();
        for index in 0..self.run.steps.len() {
            let step = step_ix(index);
            if let StepState::Running { attempt, started_at, .. } = *self.state(step) {
                self.set(step, StepState::Cancelled { attempt, started_at, at: now });
                self.page.push(now, Some(step), EventKind::StepCancelled { caused_by: cause });
            }
        }
        for index in 0..self.run.steps.len() {
            let step = step_ix(index);
            if !self.state(step).is_settled() {
                self.set(step, StepState::Skipped { reason: SkipReason::Blocked, at: now });
                self.page.push(now, Some(step), EventKind::StepSkipped { reason: SkipReason::Blocked });
            }
        }
        self.open = 0;
        let reason = if cause.is_some() { "step_failed" } else { "stalled" };
        self.run.failure = Some(failure);
        self.end(RunStatus::Failed, reason, now);
    }

    fn skip(&mut self, step: StepIx, reason: SkipReason, now: Timestamp) {
        let mut worklist = vec![(step, reason)];
        while let Some((step, reason)) = worklist.pop() {
            self.ready.remove(&step);
            self.set(step, StepState::Skipped { reason, at: now });
            self.page.push(now, Some(step), EventKind::StepSkipped { reason });
            self.collect_released(step, &mut worklist);
        }
    }

    /// A step is over and lets its dependants go.
    fn release(&mut self, step: StepIx, now: Timestamp) {
        let mut skipped = Vec::new();
        self.collect_released(step, &mut skipped);
        for (step, reason) in skipped {
            self.skip(step, reason, now);
        }
    }

    fn collect_released(&mut self, step: StepIx, skipped: &mut Vec<(StepIx, SkipReason)>) {
        self.open = self.open.saturating_sub(1);
        let plan = Arc::clone(&self.plan);
        for &dependant in &plan.step(step).dependants {
            let held = &mut self.held_by[usize::from(dependant.0)];
            *held = held.saturating_sub(1);
            if *held == 0 && *self.state(dependant) == StepState::Pending {
                match self.skipped_on_arrival(dependant) {
                    Some(reason) => skipped.push((dependant, reason)),
                    None => {
                        self.ready.insert(dependant);
                    }
                }
            }
        }
    }

    /// Nothing holds the step up any more: it becomes ready, or is skipped for a reason that needs no look at
    /// results.
    fn arrive(&mut self, step: StepIx, now: Timestamp) {
        match self.skipped_on_arrival(step) {
            Some(reason) => self.skip(step, reason, now),
            None => {
                self.ready.insert(step);
            }
        }
    }

    fn skipped_on_arrival(&self, step: StepIx) -> Option<SkipReason> {
        let planned = self.plan.step(step);
        let left_out = |dep: &StepIx| {
            matches!(self.state(*dep), StepState::Skipped { reason: SkipReason::OutOfScope, .. })
        };
        if !planned.step.enabled {
            Some(SkipReason::StepDisabled)
        } else if !planned.depends_on.is_empty() && planned.depends_on.iter().all(left_out) {
            // What only steps that were left out lead to is left out with them.
            Some(SkipReason::OutOfScope)
        } else {
            None
        }
    }

    fn reap(&mut self, dead_before: Option<Timestamp>, now: Timestamp) {
        for index in 0..self.run.steps.len() {
            let step = step_ix(index);
            let StepState::Running { attempt, started_at, lease, lost } = self.state(step).clone() else {
                continue;
            };
            if lease.until > now && dead_before.is_none_or(|dead| started_at >= dead) {
                continue;
            }
            if lost < MOST_LOST {
                self.set(step, StepState::Queued { attempt, not_before: now, lost: lost + 1 });
                continue;
            }
            let error = format!("The worker died {MOST_LOST} times while it ran this step.");
            let code = FailureCode::StepTimeout;
            self.fail_attempt(
                step,
                attempt,
                started_at,
                StepFailure { code, error, jitter: 1.0, retry_after: None },
                now,
            );
            if self.run.status.is_terminal() {
                return;
            }
        }
        let longest = self.plan.steps.iter().filter_map(|planned| planned.timeout).max().unwrap_or_default();
        if now.since(self.run.progress_at) > longest + LONGEST_BACKOFF + STALL_MARGIN {
            let code = FailureCode::RunStalledOrTimedOut;
            let error = "The run made no progress for longer than its steps may take.".to_owned();
            self.fail_run(Failure { code, step_id: None, error }, None, now);
        }
        self.finish_if_done(now);
    }

    fn finish_if_done(&mut self, now: Timestamp) {
        if self.open == 0 && !self.run.status.is_terminal() {
            self.end(RunStatus::Completed, "all_steps_settled", now);
        }
    }

    fn end(&mut self, status: RunStatus, reason: &str, now: Timestamp) {
        self.run.ended_at = Some(now);
        self.change_status(status, reason, now);
    }

    fn change_status(&mut self, to: RunStatus, reason: &str, now: Timestamp) {
        let from = std::mem::replace(&mut self.run.status, to);
        self.run.progress_at = now;
        self.page.push(now, None, EventKind::StateChanged { from, to, reason: reason.to_owned() });
    }
}

fn shortened(error: &str) -> String {
    match error.char_indices().nth(LONGEST_KEPT_ERROR) {
        Some((end, _)) => format!("{}…", error.split_at(end).0),
        None => error.to_owned(),
    }
}

fn step_ix(index: usize) -> StepIx {
    // A graph has at most 500 steps.
    StepIx(u16::try_from(index).unwrap_or(u16::MAX))
}

/// Whether a step no longer holds its dependants up.
fn lets_go(plan: &Plan, run: &Run, step: StepIx) -> bool {
    match &run.steps[usize::from(step.0)] {
        StepState::Completed { .. } | StepState::Skipped { .. } => true,
        StepState::Failed { .. } => plan.step(step).step.continue_on_error,
        StepState::Pending
        | StepState::Queued { .. }
        | StepState::Running { .. }
        | StepState::Cancelled { .. } => false,
    }
}

/// Full jitter: a random part of a wait that doubles with every attempt.
fn backoff(base: Duration, attempt: u32, jitter: f64) -> Duration {
    let doubled =
        base.as_secs_f64() * 2_f64.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
    let longest = doubled.clamp(0.0, LONGEST_BACKOFF.as_secs_f64());
    Duration::from_secs_f64(longest * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
