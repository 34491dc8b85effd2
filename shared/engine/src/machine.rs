//! The transition function of a run: state and command in, new state and events out. No I/O, no clock, no
//! randomness: time and jitter come with the command.
//!
//! What has to be done next (which steps are ready, when somebody must look again) is derived from the state
//! and never stored, so that a lost message or a crash cannot lose it. Here is what every command has in common;
//! `attempts` is what workers do to single steps, `graph` lets dependants go, `rounds` moves loops, `waits` answers people and
//! children, `isolation` finds out what processes die of, `control` pauses, stops and retries, `reap` lets time pass, `count` is what the
//! counters see of all that, `queries` tells what is next.

mod attempts;
mod control;
mod count;
mod graph;
mod isolation;
mod queries;
mod reap;
mod rounds;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use queries::Work;
pub use rounds::REVIEW;

use super::command::{Command, Outcome, Refusal};
use super::event::EventKind;
use super::failure::Failure;
use super::page::Page;
use super::readiness::lets_go;
use super::slot::Slot;
use super::state::{NewRun, Recovery, Reused, Run};
use super::status::SkipReason;
use super::status::{RunStatus, Usage};
use super::step_state::{StepState, Wait};
use crate::Bill;
use crate::analytics::Tally;
use types::clock::Timestamp;
use workflow::{Plan, Step, StepIx, StepKind};

/// No wait between two attempts is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
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
            isolation: None,
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
                let bytes = result.bytes();
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
            let holds = |dep: &&StepIx| !lets_go(&plan, &self.run, **dep);
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
        if !allows(status, &command) {
            return Err(Refusal::Status(status));
        }
        let is_progress = is_progress(&command);
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
            Command::Retry { from, without_mcp, input_keys } => {
                self.retry(from, input_keys, now)?;
                self.run.without_mcp = without_mcp;
            }
            Command::Disown { children } => {
                self.run.orphans.retain(|child| !children.contains(child));
                self.changed_silently = true;
            }
            Command::Reap { dead_before, in_order } => self.reap(dead_before, in_order, now),
            Command::Isolate { owner, process, until } => self.isolate(owner, process, until, now)?,
            Command::Rejoin { owner } => self.rejoin(&owner)?,
            Command::Recover { process, dead_before, in_order } => {
                self.recover(&process, dead_before, in_order, now);
            }
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

    fn end(&mut self, status: RunStatus, reason: &str, now: Timestamp) {
        self.run.ended_at = Some(now);
        self.run.isolation = None;
        self.run.paused_at = None;
        self.run.drain_until = None;
        self.change_status(status, reason, now);
    }

    fn change_status(&mut self, to: RunStatus, reason: &str, now: Timestamp) {
        self.change_status_with(to, reason, Vec::new(), now);
    }

    fn change_status_with(&mut self, to: RunStatus, reason: &str, input_keys: Vec<String>, now: Timestamp) {
        let from = std::mem::replace(&mut self.run.status, to);
        self.run.progress_at = now;
        self.page.push(
            now,
            None,
            EventKind::StateChanged { from, to, reason: reason.to_owned(), input_keys },
        );
    }
}

/// Whether a run in this state takes the command.
fn allows(status: RunStatus, command: &Command) -> bool {
    let goes_on = matches!(status, RunStatus::Running | RunStatus::Paused | RunStatus::Draining);
    match command {
        Command::Begin { .. } | Command::Open { .. } | Command::Await { .. } | Command::Skip { .. } => {
            status == RunStatus::Running
        }
        Command::Settle { .. }
        | Command::Close { .. }
        | Command::Answer { .. }
        | Command::ChildEnded { .. }
        | Command::Reap { .. }
        | Command::Isolate { .. }
        | Command::Rejoin { .. }
        | Command::Recover { .. }
        | Command::GiveUp => goes_on,
        Command::Pause | Command::RunDry => status == RunStatus::Running,
        Command::Resume => status == RunStatus::Paused,
        Command::Stop(_) => goes_on,
        Command::Retry { .. } => matches!(status, RunStatus::Failed | RunStatus::Stopped),
        Command::Disown { .. } => true,
    }
}

/// Whether a run gets on by the command.
const fn is_progress(command: &Command) -> bool {
    !matches!(
        command,
        Command::Reap { .. }
            | Command::Recover { .. }
            | Command::Isolate { .. }
            | Command::Rejoin { .. }
            | Command::GiveUp
            | Command::Disown { .. }
    )
}

fn step_ix(index: usize) -> StepIx {
    // A graph has at most 500 steps.
    StepIx(u16::try_from(index).unwrap_or(u16::MAX))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
