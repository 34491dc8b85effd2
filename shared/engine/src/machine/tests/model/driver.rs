//! Does to a machine what workers, people, children, callers and time do to a run, and tells the reference.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::super::{at, plan, start};
use super::checks;
use super::graphs::{Kind, Spec, id, lacks_grant, written};
use super::history::History;
use super::places::{Begun, Did, Pending, Stand};
use super::reference::{Model, top};
use crate::machine::{Machine, TaskChange, Wait};
use crate::slot::Slot;
use crate::{Answer, Command, FailureCode, Outcome, Refusal, RunStatus, StepFailure, StopMode};
use types::ids::RunId;
use types::json_text::JsonText;
use types::tokens::Tokens;

type Checked = Result<(), TestCaseError>;

pub(super) struct Driver {
    machine: Machine,
    model: Model,
    history: History,
    /// The rows of open tasks, as commits have left them.
    rows: BTreeSet<Slot>,
    now: i64,
    owners: u32,
}

impl Driver {
    pub(super) fn start(specs: Vec<Spec>) -> Result<Self, TestCaseError> {
        let plan = plan(&written(&specs));
        let left_out = |(at, spec): &(usize, &Spec)| spec.left_out && !lacks_grant(*at, spec);
        let excluded: Vec<String> = specs.iter().enumerate().filter(left_out).map(|(at, _)| id(at)).collect();
        let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
        let machine = start(&plan, &[], &excluded);
        let model = Model::new(specs);
        let (history, rows) = (History::new(), BTreeSet::new());
        let mut driver = Self { machine, model, history, rows, now: 0, owners: 0 };
        driver.check()?;
        Ok(driver)
    }

    fn check(&mut self) -> Checked {
        self.history.read(&self.machine.page().events, &self.model.specs)?;
        checks::check(&self.machine, &self.model, self.now)
    }

    /// Applies a command that must be allowed.
    fn apply(&mut self, command: Command) -> Checked {
        let told = format!("{command:?} at {}", self.now);
        prop_assert_eq!(self.machine.apply(command, at(self.now)), Ok(()), "{}", told);
        Ok(())
    }

    /// Applies a command that must be refused, and change nothing.
    fn refused(&mut self, command: Command, why: Refusal) -> Checked {
        let before = (self.machine.run().clone(), self.machine.page().clone(), self.machine.tasks().clone());
        let told = format!("{command:?} at {}", self.now);
        prop_assert_eq!(self.machine.apply(command, at(self.now)), Err(why), "{}", told);
        let after = (self.machine.run().clone(), self.machine.page().clone(), self.machine.tasks().clone());
        prop_assert!(before == after, "refused, and yet changed: {told}");
        Ok(())
    }

    /// One thing happens.
    pub(super) fn act(&mut self, choice: u32) -> Checked {
        let pick = (choice / 100) as usize;
        let is_paused = self.model.status == RunStatus::Paused;
        match choice % 100 {
            0..15 if is_paused => self.resume()?,
            0..30 if self.model.status.is_terminal() => self.retry(pick)?,
            // A graceful stop lasts, and the clock with it.
            0..20 if self.model.status == RunStatus::Draining => self.reap(pick)?,
            0..40 => self.begin(pick)?,
            40..78 => self.end(pick)?,
            78..85 => self.now += [1, 1, 2, 5, 13][pick % 5],
            85..91 => self.reap(pick)?,
            91 | 92 => self.pause()?,
            93 => self.resume()?,
            94 if pick.is_multiple_of(2) => self.stop(pick)?,
            95 => self.disown()?,
            96 => self.retry(pick)?,
            97 | 98 => self.strange(pick)?,
            _ => self.commit(pick)?,
        }
        self.check()
    }

    /// Brings the run to its end: whatever was done to it before, it has one.
    pub(super) fn finish(&mut self) -> Checked {
        for _ in 0..5000 {
            if self.model.status.is_terminal() {
                self.disown()?;
                self.commit(0)?;
                prop_assert_eq!(self.machine.deadline(at(self.now)), None);
                prop_assert!(self.rows.is_empty(), "open tasks of a run that is over: {:?}", self.rows);
                return self.check();
            }
            if self.model.status == RunStatus::Paused {
                self.resume()?;
            } else if !self.model.ready(self.now).is_empty() {
                self.begin(0)?;
            } else if self.model.under_way().is_empty() {
                self.now += 300;
            } else {
                self.end(usize::MAX - 1)?;
            }
            self.check()?;
        }
        Err(TestCaseError::fail("the run does not end"))
    }

    fn begin(&mut self, pick: usize) -> Checked {
        let ready = self.model.ready(self.now);
        let Some(&slot) = ready.get(pick % ready.len().max(1)) else { return Ok(()) };
        if let Some(reason) = self.model.common(slot).and_then(super::graphs::Common::gate) {
            self.apply(Command::Skip { slot, reason })?;
            self.model.did(slot, Did::Skip, self.now);
            return Ok(());
        }
        let kind = &self.model.specs[slot.step.index()].kind;
        let mut begun = Begun { at: self.now, ..Begun::default() };
        let input = JsonText::from(json!({ "task_type": "approval" }));
        match kind {
            Kind::Loop(spec) if slot.inner.is_none() => {
                let rounds = spec.total;
                self.apply(Command::Open { step: slot.step, rounds, input })?;
                self.model.opened(slot.step.index(), self.now);
                return Ok(());
            }
            Kind::Person(_) => {
                self.apply(Command::Await { slot, on: Wait::Person, input })?;
            }
            _ if self.model.is_call(slot) => {
                let child = RunId::new(at(self.now));
                begun.child = Some(child);
                self.apply(Command::Await { slot, on: Wait::Child(child), input })?;
            }
            _ => {
                self.owners += 1;
                begun.owner = format!("w{}", self.owners);
                let command = Command::Begin { slot, owner: begun.owner.clone(), input: None };
                self.apply(command.clone())?;
                self.apply(command)?;
                return self.has_begun(slot, begun);
            }
        }
        let timeout = self.model.common(slot).and_then(|common| common.timeout);
        begun.until = timeout.map(|timeout| self.now + timeout);
        self.has_begun(slot, begun)
    }

    fn has_begun(&mut self, slot: Slot, begun: Begun) -> Checked {
        self.model.did(slot, Did::Begin(begun), self.now);
        Ok(())
    }

    /// Something that is under way ends; well, with the largest pick.
    fn end(&mut self, pick: usize) -> Checked {
        let under_way = self.model.under_way();
        let Some(pending) = under_way.get(pick % under_way.len().max(1)).cloned() else { return Ok(()) };
        let luck = pick / under_way.len().max(1);
        let now = self.now;
        match pending {
            Pending::Script { slot, begun } => {
                let (outcome, did) = self.outcome(slot, luck);
                let log = if luck.is_multiple_of(7) { vec!["a line".to_owned()] } else { Vec::new() };
                self.apply(Command::Settle {
                    slot,
                    owner: begun.owner,
                    outcome,
                    log,
                    tokens: Tokens::default(),
                })?;
                self.model.did(slot, did, now);
            }
            Pending::Person { slot } => {
                let approved = !luck.is_multiple_of(4);
                self.apply(answer(slot, approved))?;
                self.model.did(slot, Did::Success { bytes: 2, yes: approved }, now);
            }
            Pending::Review { slot } => {
                let again = !luck.is_multiple_of(2);
                self.apply(answer(slot, again))?;
                self.model.reviewed(slot, again, now);
            }
            Pending::Child { slot, child } => {
                let (outcome, did) = match luck % 6 {
                    0 => self.failure(FailureCode::ChildRunFailed, 0),
                    _ => success(false, 2),
                };
                self.apply(Command::ChildEnded { slot, child, outcome })?;
                self.model.did(slot, did, now);
            }
            Pending::Close { step } => {
                let (outcome, did) = match luck % 12 {
                    0 => self.failure(FailureCode::ResultTooLarge, 0),
                    _ => success(false, 2),
                };
                self.apply(Command::Close { step: top(step).step, outcome })?;
                self.model.closed(step, did, now);
            }
        }
        Ok(())
    }

    /// How a script ends: mostly well.
    fn outcome(&self, slot: Slot, luck: usize) -> (Outcome, Did) {
        if luck > 1_000_000_000 {
            return success(true, 2);
        }
        match luck % 24 {
            0 => self.failure(FailureCode::LuaError, 0),
            1..=3 => self.failure(FailureCode::LuaTimeout, 0),
            4 => self.failure(FailureCode::DependencyUnavailable, 20),
            5 if slot.inner.is_some() && self.model.common(slot).is_some() => success(true, 600_000),
            luck => success(luck.is_multiple_of(2), 2),
        }
    }

    fn failure(&self, code: FailureCode, retry_after: i64) -> (Outcome, Did) {
        let asked = u64::try_from(retry_after).ok().filter(|seconds| *seconds > 0);
        let asked = asked.map(std::time::Duration::from_secs);
        let failure = StepFailure { retry_after: asked, ..StepFailure::new(code, "no") };
        (Outcome::Failure(failure), Did::Failure { code, at: self.now, retry_after })
    }

    fn reap(&mut self, pick: usize) -> Checked {
        let later = [0, 0, 1, 1, 5, 5, 15, 15, 16, 16, 35, 35, 120, 1000, 4000, 100_000];
        self.now += later[pick % later.len()];
        let dead_before = (pick / later.len()).is_multiple_of(4).then_some(self.now + 1);
        let command = Command::Reap { dead_before: dead_before.map(at), in_order: false };
        if self.model.status.is_terminal() {
            return self.refused(command, Refusal::Status(self.model.status));
        }
        self.apply(command)?;
        self.model.reap(dead_before, self.now);
        Ok(())
    }

    fn pause(&mut self) -> Checked {
        if self.model.status != RunStatus::Running {
            return self.refused(Command::Pause, Refusal::Status(self.model.status));
        }
        self.apply(Command::Pause)?;
        self.model.pause(self.now);
        Ok(())
    }

    fn resume(&mut self) -> Checked {
        if self.model.status != RunStatus::Paused {
            return self.refused(Command::Resume, Refusal::Status(self.model.status));
        }
        self.apply(Command::Resume)?;
        self.model.resume(self.now);
        Ok(())
    }

    fn stop(&mut self, pick: usize) -> Checked {
        let graceful = (pick / 2).is_multiple_of(2);
        let command = Command::Stop(if graceful { StopMode::Graceful } else { StopMode::Immediate });
        if self.model.status.is_terminal() {
            return self.refused(command, Refusal::Status(self.model.status));
        }
        self.apply(command)?;
        self.model.stop(graceful, self.now);
        Ok(())
    }

    fn retry(&mut self, pick: usize) -> Checked {
        let from = pick.is_multiple_of(2).then(|| (pick / 2) % self.model.specs.len());
        let command =
            Command::Retry { from: from.map(|at| top(at).step), without_mcp: false, input_keys: Vec::new() };
        if !matches!(self.model.status, RunStatus::Failed | RunStatus::Stopped) {
            return self.refused(command, Refusal::Status(self.model.status));
        }
        let Some(again) = self.model.again(from) else {
            return self.refused(command, Refusal::NotReached);
        };
        self.apply(command)?;
        self.model.retry(&again, from, self.now);
        self.history.again(&again);
        Ok(())
    }

    fn disown(&mut self) -> Checked {
        self.apply(Command::Disown { children: self.model.orphans.iter().copied().collect() })?;
        self.model.orphans.clear();
        Ok(())
    }

    /// A commit writes what has become of the tasks, and sometimes closes the page.
    fn commit(&mut self, pick: usize) -> Checked {
        checks::written(&self.machine)?;
        for (slot, change) in self.machine.tasks() {
            match change {
                TaskChange::Opened(task) => {
                    prop_assert_eq!(&task.task_id, &slot.task_id(self.machine.plan()));
                    self.rows.insert(*slot);
                }
                TaskChange::Postponed(_) => prop_assert!(self.rows.contains(slot)),
                TaskChange::Closed => {
                    self.rows.remove(slot);
                }
            }
        }
        self.machine.written();
        prop_assert_eq!(&self.rows, &self.machine.waiting_for_people().collect());
        if pick.is_multiple_of(2) {
            let before = self.machine.page().next_seq();
            let closed = self.machine.close_page();
            prop_assert_eq!((closed.next_seq(), self.machine.page().next_seq()), (before, before));
        }
        Ok(())
    }

    /// What nobody may do is refused.
    fn strange(&mut self, pick: usize) -> Checked {
        let stands = self.model.stands();
        let Some((slot, stand)) = stands.get(pick % stands.len().max(1)).cloned() else { return Ok(()) };
        let goes_on = !self.model.status.is_terminal();
        let running = self.model.status == RunStatus::Running;
        let why = |allowed: bool| match allowed {
            true => Refusal::NotYours,
            false => Refusal::Status(self.model.status),
        };
        let stranger = "stranger".to_owned();
        let is_ready = super::reference::is_due(&stand, self.now);
        let settle = Command::Settle {
            slot,
            owner: stranger.clone(),
            outcome: success(true, 2).0,
            log: Vec::new(),
            tokens: Tokens::default(),
        };
        let child_ended =
            Command::ChildEnded { slot, child: RunId::new(at(self.now)), outcome: success(true, 2).0 };
        let is_person = matches!(stand, Stand::UnderWay { .. })
            && matches!(self.model.specs[slot.step.index()].kind, Kind::Person(_));
        let (of_workers, of_others) = (why(running), why(goes_on));
        self.refused(settle, of_others)?;
        self.refused(child_ended, of_others)?;
        if !is_ready || !running {
            self.refused(Command::Begin { slot, owner: stranger, input: None }, of_workers)?;
            let input = json!({}).into();
            self.refused(Command::Await { slot, on: Wait::Person, input }, of_workers)?;
        }
        if !is_person {
            self.refused(answer(slot, true), of_others)?;
        }
        Ok(())
    }
}

fn success(yes: bool, bytes: usize) -> (Outcome, Did) {
    (Outcome::Success { result: json!({ "pass": yes }).into(), bytes }, Did::Success { bytes, yes })
}

fn answer(slot: Slot, approved: bool) -> Command {
    let answer = Answer { approved, result: Map::new(), notes: None, completed_by: Some("ada".to_owned()) };
    Command::Answer { slot, answer }
}
