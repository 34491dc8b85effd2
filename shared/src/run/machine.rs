//! The transition function of a run: state and command in, new state and events out. No I/O, no clock, no
//! randomness: time and jitter come with the command.
//!
//! What has to be done next (which steps are ready, when somebody must look again) is derived from the state
//! and never stored, so that a lost message or a crash cannot lose it. Here are the commands of workers and
//! what they do to single steps; `graph` lets dependants go, `rounds` moves loops, `waits` answers people and
//! children, `control` pauses, stops and retries, `reap` lets time pass, `count` is what the
//! counters see of all that, `queries` tells what is next.

mod control;
mod count;
mod graph;
mod queries;
mod reap;
mod rounds;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use queries::Work;
pub(super) use rounds::REVIEW;

use super::command::{Command, Outcome, Refusal, StepFailure};
use super::event::{EventKind, SkipReason};
use super::failure::Failure;
use super::page::Page;
use super::slot::Slot;
use super::state::{Lease, NewRun, Recovery, Reused, Run, RunStatus, StepState, Usage, Wait};
use crate::analytics::Tally;
use crate::billing::Bill;
use crate::clock::Timestamp;
use crate::workflow::{Plan, Step, StepIx, StepKind};

/// How long a lease outlives its step's timeout: the time to notice the end and to commit it.
const LEASE_MARGIN: Duration = Duration::from_secs(10);
/// No wait between two attempts is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// The most characters of a failure in the run's row, which holds up to 500 of them; its event has the whole.
const LONGEST_KEPT_ERROR: usize = 300;
/// Pages of what is taken over from another run: larger than others, so that there are not too many to write
/// before the run.
const LARGEST_FIRST_PAGE: usize = 256 * 1024;
/// The most human tasks of a run that are open at a time. Further ones are put when others are answered.
const MOST_OPEN_TASKS: usize = 50;
/// The same with the reviews of failed items, which are not to wait behind other tasks: all of them are written
/// with the run's row, in one transaction, which takes 100 items.
const MOST_OPEN: usize = 90;

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
    /// Loops under way.
    looping: BTreeSet<StepIx>,
    /// Human tasks that were put or taken back since this machine was made.
    tasks: BTreeMap<Slot, TaskChange>,
    open_tasks: usize,
    /// Something changed that no event tells, since this machine was made.
    changed_silently: bool,
}

/// What became of a human task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskChange {
    /// It is put.
    Opened(OpenTask),
    /// Its answer is waited for until this later time.
    Postponed(Timestamp),
    /// It is answered or no longer wanted.
    Closed,
}

/// A human task that is put.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTask {
    /// What people call it.
    pub task_id: String,
    /// The step, by its id.
    pub step_id: String,
    /// Its type, as the author wrote it; `item_review` for a failed item of a loop.
    pub task_type: String,
    /// What the person sees.
    pub payload: Value,
    /// When it was put.
    pub created_at: Timestamp,
    /// When the answer is no longer waited for.
    pub expires_at: Option<Timestamp>,
}

impl Machine {
    /// A new run, begun: its roots are ready, or it is already over when there is nothing to execute. With the
    /// pages of its history that are full already, which only happens when it takes much over from another.
    pub fn start(plan: Arc<Plan>, new: NewRun, now: Timestamp) -> (Self, Vec<Page>) {
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
            paused_at: None,
            drain_until: None,
            parent: new.parent,
            without_mcp: new.without_mcp,
            orphans: Vec::new(),
            retries: 0,
            attempts_before: BTreeMap::new(),
            usage: Usage::default(),
            tally: Tally::default(),
            bill: Bill::at_price(new.price),
            steps: vec![StepState::Pending; plan.steps.len()],
        };
        let mut machine = Self::resume(plan, run, Page::starting_at(1));
        let kind = EventKind::RunStarted {
            trigger_type: new.trigger_type,
            version: new.version,
            resumed_from: new.recovery.as_ref().map(|recovery| recovery.run_id),
        };
        machine.page.push(now, None, kind);
        machine.change_status(RunStatus::Running, "started", now);
        let closed = machine.take_over(new.recovery, now);
        for step in std::mem::take(&mut machine.ready) {
            let planned = &machine.plan.step(step);
            let waits = planned.step.no_auto_start && !new.granted.contains(&planned.step.id);
            if planned.depends_on.is_empty() && (waits || new.excluded.contains(&planned.step.id)) {
                machine.skip(step, SkipReason::OutOfScope, now);
            } else {
                machine.arrive(step, now);
            }
        }
        machine.follow_up(now);
        (machine, closed)
    }

    fn take_over(&mut self, recovery: Option<Recovery>, now: Timestamp) -> Vec<Page> {
        let mut closed = Vec::new();
        for Reused { step, state, input, result } in recovery.into_iter().flat_map(|other| other.reused) {
            let slot = Slot::from(step);
            if let Some(input) = input {
                self.page.put_input(slot, input);
            }
            if let Some(result) = result {
                let bytes = serde_json::to_vec(&*result).map_or(0, |json| json.len());
                self.page.put_result(slot, result, bytes);
            }
            let kind = match &state {
                StepState::Skipped { reason, .. } => EventKind::StepSkipped { reason: *reason },
                StepState::Failed { attempt, code, error, .. } => EventKind::StepFailed {
                    attempt: *attempt,
                    code: *code,
                    error: error.clone(),
                    retry_in_ms: None,
                },
                _ => EventKind::StepReused,
            };
            self.page.push(now, Some(slot), kind);
            self.run.steps[step.index()] = state;
            if self.page.weight > LARGEST_FIRST_PAGE {
                closed.push(self.close_page());
            }
        }
        self.derive();
        closed
    }

    /// A run as it was kept.
    pub fn resume(plan: Arc<Plan>, run: Run, page: Page) -> Self {
        let mut machine = Self {
            held_by: vec![0; plan.steps.len()],
            ready: BTreeSet::new(),
            open: 0,
            looping: BTreeSet::new(),
            tasks: BTreeMap::new(),
            changed_silently: false,
            open_tasks: 0,
            plan,
            run,
            page,
        };
        machine.derive();
        machine
    }

    /// Works out what follows from the states of the steps.
    fn derive(&mut self) {
        self.ready.clear();
        self.looping.clear();
        self.open = 0;
        let plan = Arc::clone(&self.plan);
        for (index, planned) in plan.steps.iter().enumerate() {
            let holds = |dep: &&StepIx| !graph::lets_go(&plan, &self.run, **dep);
            let held_by = planned.depends_on.iter().filter(holds).count();
            self.held_by[index] = u16::try_from(held_by).unwrap_or(u16::MAX);
            let state = &self.run.steps[index];
            self.open += usize::from(!state.is_settled());
            if *state == StepState::Pending && held_by == 0 {
                self.ready.insert(step_ix(index));
            }
            if matches!(state, StepState::Looping { .. }) {
                self.looping.insert(step_ix(index));
            }
        }
        self.open_tasks = self.waiting_for_people().count();
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

    /// Human tasks that were put or taken back since this machine was made or [`Self::written`].
    pub fn tasks(&self) -> &BTreeMap<Slot, TaskChange> {
        &self.tasks
    }

    /// Whether something has to be written that no event tells: a claim that was given up, a child that is stopped.
    pub fn has_changed_silently(&self) -> bool {
        self.changed_silently
    }

    /// All that changed is written.
    pub fn written(&mut self) {
        self.tasks.clear();
        self.changed_silently = false;
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
        let status = self.run.status;
        let goes_on = matches!(status, RunStatus::Running | RunStatus::Paused | RunStatus::Draining);
        let allowed = match &command {
            Command::Begin { .. } | Command::Open { .. } | Command::Await { .. } | Command::Skip { .. } => {
                status == RunStatus::Running
            }
            Command::Settle { .. }
            | Command::Close { .. }
            | Command::Answer { .. }
            | Command::ChildEnded { .. }
            | Command::Reap { .. }
            | Command::GiveUp => goes_on,
            Command::Pause | Command::RunDry => status == RunStatus::Running,
            Command::Resume => status == RunStatus::Paused,
            Command::Stop(_) => goes_on,
            Command::Retry { .. } => matches!(status, RunStatus::Failed | RunStatus::Stopped),
            Command::Disown { .. } => true,
        };
        if !allowed {
            return Err(Refusal::Status(status));
        }
        let is_progress = !matches!(command, Command::Reap { .. } | Command::GiveUp | Command::Disown { .. });
        match command {
            Command::Begin { slot, owner, input } => self.begin(slot, owner, input, now)?,
            Command::Open { step, rounds, input } => self.open_loop(step, rounds, input, now)?,
            Command::Await { slot, on, input } => self.wait(slot, on, &input, now)?,
            Command::Skip { slot, reason } => self.skip_ready(slot, reason, now)?,
            Command::Settle { slot, owner, outcome, log, tokens } => {
                self.settle(slot, &owner, outcome, log, now)?;
                self.note_tokens(slot, tokens);
            }
            Command::Close { step, outcome } => self.close_loop(step, outcome, now)?,
            Command::Answer { slot, answer } => self.answer(slot, answer, now)?,
            Command::ChildEnded { slot, child, outcome } => self.child_ended(slot, child, outcome, now)?,
            Command::Pause => self.pause("paused", now),
            Command::Resume => self.go_on(now),
            Command::Stop(mode) => self.stop(mode, now),
            Command::Retry { from, without_mcp } => {
                self.retry(from, now)?;
                self.run.without_mcp = without_mcp;
            }
            Command::Disown { children } => {
                self.run.orphans.retain(|child| !children.contains(child));
                self.changed_silently = true;
            }
            Command::Reap { dead_before } => self.reap(dead_before, now),
            Command::GiveUp => self.give_up(now),
            Command::RunDry => self.run_dry(now),
        }
        if is_progress {
            self.run.progress_at = now;
        }
        self.follow_up(now);
        Ok(())
    }

    /// What every change may bring about.
    fn follow_up(&mut self, now: Timestamp) {
        self.open_reviews(now);
        match self.run.status {
            RunStatus::Running if self.open == 0 => {
                self.end(RunStatus::Completed, "all_steps_settled", now);
            }
            RunStatus::Draining if !self.is_under_way() => self.finish_drain(now),
            _ => {}
        }
    }

    /// Where a step, or an inner step of an open round, stands.
    fn state(&self, slot: Slot) -> Option<&StepState> {
        match slot.inner {
            None => Some(&self.run.steps[slot.step.index()]),
            Some(inner) => {
                let (attempt, rounds) = self.rounds(slot.step)?;
                let round = rounds.open.get(&inner.round)?;
                (attempt == inner.attempt && round.place == inner.place).then_some(&round.state)
            }
        }
    }

    /// Sets where a step stands that [`Self::state`] knows.
    fn set(&mut self, slot: Slot, state: StepState) {
        match slot.inner {
            None => self.run.steps[slot.step.index()] = state,
            Some(inner) => {
                if let Some(round) = self.round_mut(slot.step, inner.round) {
                    round.state = state;
                }
            }
        }
    }

    /// The step as the author wrote it; none for a `while`'s condition.
    fn step_of(&self, slot: Slot) -> Option<&Step> {
        let planned = self.plan.step(slot.step);
        match slot.inner {
            None => Some(&planned.step),
            Some(inner) => {
                planned.body.as_ref()?.steps.get(usize::from(inner.place)).map(|inner| &inner.step)
            }
        }
    }

    /// The type and fields of a step, as the author wrote them; none for a `while`'s condition.
    pub fn kind(&self, slot: Slot) -> Option<&StepKind> {
        self.step_of(slot).map(|step| &step.kind)
    }

    /// How long an attempt may take. A `while`'s condition may take what a script may.
    pub fn timeout(&self, slot: Slot) -> Option<Duration> {
        const OF_CONDITION: Duration = Duration::from_secs(5);
        self.step_of(slot).map_or(Some(OF_CONDITION), Step::timeout)
    }

    /// The next attempt at a step that may begin now, and how many workers have died on it.
    fn to_begin(&self, slot: Slot, now: Timestamp) -> Result<(u32, u32), Refusal> {
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
    fn attempts_before(&self, slot: Slot) -> u32 {
        match slot.inner {
            None => self.run.attempts_before.get(&slot.step).copied().unwrap_or(0),
            Some(inner) => self
                .rounds(slot.step)
                .and_then(|(_, rounds)| rounds.open.get(&inner.round))
                .map_or(0, |round| round.attempts_before),
        }
    }

    /// How many attempts have begun. One that is queued has not, unless it is the worker that was lost.
    fn attempts_made(&self, slot: Slot) -> u32 {
        match self.state(slot) {
            Some(StepState::Queued { attempt, lost: 0, .. }) => attempt.saturating_sub(1),
            Some(state) => state.attempt().unwrap_or_else(|| self.attempts_before(slot)),
            None => 0,
        }
    }

    fn begin(
        &mut self,
        slot: Slot,
        owner: String,
        input: Option<Arc<Value>>,
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

    fn note_begin(&mut self, slot: Slot, attempt: u32, input: Option<Arc<Value>>, now: Timestamp) {
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

    fn settle(
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
    fn conclude(
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
    fn complete(
        &mut self,
        step: StepIx,
        attempt: u32,
        started_at: Timestamp,
        (result, bytes): (Arc<Value>, usize),
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
        if self.plan.step(step).step.terminal {
            self.close_episode(now);
        }
    }

    fn fail_attempt(
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
                backoff(step.retry_backoff_s.duration(), tried, jitter).max(retry_after.unwrap_or_default())
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
    fn fail_step(
        &mut self,
        step: StepIx,
        attempt: u32,
        started_at: Timestamp,
        (code, error): (super::FailureCode, String),
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

    fn end(&mut self, status: RunStatus, reason: &str, now: Timestamp) {
        self.run.ended_at = Some(now);
        self.run.paused_at = None;
        self.run.drain_until = None;
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
