//! The promises of the event log: causes before effects, no gaps, nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::graphs::Spec;
use super::reference::{slot, top};
use crate::RunStatus;
use crate::event::{Event, EventKind};
use crate::slot::{Inner, Slot};
use crate::status::SkipReason;

type Checked = Result<(), TestCaseError>;

/// What a reader of the events knows so far.
#[derive(Debug)]
pub(super) struct History {
    seq: u64,
    status: RunStatus,
    settled: BTreeSet<usize>,
    /// The latest attempt of each place, and whether it is still under way.
    attempts: BTreeMap<Slot, (u32, bool)>,
    asked: BTreeSet<Slot>,
    /// Rounds of loops that are over.
    over: BTreeSet<Slot>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            seq: 0,
            status: RunStatus::Pending,
            settled: BTreeSet::new(),
            attempts: BTreeMap::new(),
            asked: BTreeSet::new(),
            over: BTreeSet::new(),
        }
    }

    /// These steps are done again.
    pub(super) fn again(&mut self, steps: &BTreeSet<usize>) {
        self.settled.retain(|at| !steps.contains(at));
    }

    /// Reads what is new.
    pub(super) fn read(&mut self, events: &[Event], specs: &[Spec]) -> Checked {
        for event in events.iter().filter(|event| event.seq > self.seq).collect::<Vec<_>>() {
            prop_assert_eq!(event.seq, self.seq + 1, "no gap");
            self.seq = event.seq;
            let told = format!("{event:?} after {:?}", event.step.and_then(|slot| self.attempts.get(&slot)));
            match event.step {
                None => self.of_run(&event.kind)?,
                Some(slot) => {
                    prop_assert!(!self.status.is_terminal(), "after the end: {told}");
                    prop_assert!(self.of_step(slot, &event.kind, specs), "{told}");
                }
            }
        }
        Ok(())
    }

    fn of_run(&mut self, kind: &EventKind) -> Checked {
        use RunStatus::{Completed, Draining, Failed, Paused, Pending, Running, Stopped};
        let (from, to, reason) = match kind {
            EventKind::StateChanged { from, to, reason, .. } => (*from, *to, reason.as_str()),
            EventKind::RunStarted { .. } => {
                prop_assert_eq!(self.seq, 1);
                return Ok(());
            }
            kind => return Err(TestCaseError::fail(format!("{kind:?} is not of a run"))),
        };
        prop_assert_eq!(from, self.status);
        let is_legal = match (from, to) {
            (Pending | Paused, Running) | (Running, Paused | Completed | Failed) => true,
            (Running | Paused, Draining | Stopped) | (Draining, Stopped) => true,
            (Failed | Stopped, Running) => reason == "retried",
            _ => false,
        };
        prop_assert!(is_legal, "{from:?} to {to:?}: {reason}");
        self.status = to;
        Ok(())
    }

    fn of_step(&mut self, at: Slot, kind: &EventKind, specs: &[Spec]) -> bool {
        match kind {
            EventKind::StepStarted { attempt } => self.started(at, *attempt, specs),
            EventKind::StepCompleted { .. } => self.concluded(at, None) && self.settled(at),
            EventKind::StepFailed { attempt, retry_in_ms, .. } => {
                self.concluded(at, Some(*attempt)) && (retry_in_ms.is_some() || self.settled(at))
            }
            EventKind::StepCancelled { .. } => self.concluded(at, None) && self.settled(at),
            EventKind::StepSkipped { reason } => {
                // The worker of a blocked step was lost, if it had begun.
                let begun = self.attempts.contains_key(&at) && self.concluded(at, None);
                (!begun || *reason == SkipReason::Blocked) && self.settled(at)
            }
            EventKind::HumanTaskCreated { .. } => self.asked.insert(at),
            EventKind::HumanTaskCompleted { .. } => self.asked.remove(&at),
            EventKind::IterationCompleted { .. } => self.is_looping(at) && self.over.insert(at),
            // A `while`'s condition may print, too, and is no step.
            EventKind::StepLog { .. } => {
                self.attempts.get(&at).map_or_else(|| self.is_looping(at), |(_, under_way)| *under_way)
            }
            _ => false,
        }
    }

    fn started(&mut self, at: Slot, attempt: u32, specs: &[Spec]) -> bool {
        let step = at.step.index();
        let follows = match self.attempts.get(&at) {
            // Its worker was lost.
            Some((latest, true)) => attempt == *latest || (attempt > *latest && at.inner.is_some()),
            Some((latest, false)) => attempt > *latest,
            None => attempt == 1,
        };
        self.attempts.insert(at, (attempt, true));
        let may = match at.inner {
            None => specs[step].deps.iter().all(|dep| self.settled.contains(dep)),
            Some(inner) => {
                let round = slot(step, inner.attempt, inner.round, Inner::FAILURE);
                self.is_looping(at) && !self.over.contains(&round)
            }
        };
        follows && may && self.status == RunStatus::Running && !self.settled.contains(&step)
    }

    /// The loop of this place is under way, in the attempt that the place is of.
    fn is_looping(&self, at: Slot) -> bool {
        let attempt = at.inner.map(|inner| inner.attempt);
        let of_loop = self.attempts.get(&top(at.step.index()));
        of_loop.is_some_and(|(latest, under_way)| *under_way && Some(*latest) == attempt)
    }

    fn concluded(&mut self, at: Slot, attempt: Option<u32>) -> bool {
        let Some((latest, under_way)) = self.attempts.get_mut(&at) else { return false };
        let was_under_way = std::mem::replace(under_way, false);
        if at.inner.is_none() {
            // What its rounds or a person were doing is over with it.
            self.asked.retain(|other| other.step != at.step);
        }
        was_under_way && attempt.is_none_or(|attempt| attempt == *latest)
    }

    /// A step is settled once; so is the attempt at an inner step.
    fn settled(&mut self, at: Slot) -> bool {
        at.inner.is_some() || self.settled.insert(at.step.index())
    }
}
