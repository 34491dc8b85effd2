//! Who may go when a step is settled.

use std::sync::Arc;

use super::{Machine, Refusal, SkipReason, Slot, StepState, step_ix};
use crate::event::EventKind;
use types::clock::Timestamp;
use workflow::StepIx;

impl Machine {
    pub(super) fn skip_ready(
        &mut self,
        slot: Slot,
        reason: SkipReason,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.to_begin(slot, now)?;
        match slot.inner {
            None => self.skip(slot.step, reason, now),
            Some(_) => self.skip_inner(slot, reason, now),
        }
        Ok(())
    }

    /// Skips a step, and with it what is skipped for no other reason than that.
    pub(super) fn skip(&mut self, step: StepIx, reason: SkipReason, now: Timestamp) {
        let mut worklist = vec![(step, reason)];
        while let Some((step, reason)) = worklist.pop() {
            self.ready.remove(&step);
            self.set(step.into(), StepState::Skipped { reason, at: now });
            self.page.push(now, Some(step.into()), EventKind::StepSkipped { reason });
            self.collect_released(step, &mut worklist);
        }
    }

    /// A step is over and lets its dependants go.
    pub(super) fn release(&mut self, step: StepIx, now: Timestamp) {
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
            let held = &mut self.held_by[dependant.index()];
            *held = held.saturating_sub(1);
            if *held == 0 && self.run.steps[dependant.index()] == StepState::Pending {
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
    pub(super) fn arrive(&mut self, step: StepIx, now: Timestamp) {
        match self.skipped_on_arrival(step) {
            Some(reason) => self.skip(step, reason, now),
            None => {
                self.ready.insert(step);
            }
        }
    }

    fn skipped_on_arrival(&self, step: StepIx) -> Option<SkipReason> {
        let planned = self.plan.step(step);
        let is_left_out = |dep: &StepIx| {
            matches!(self.run.steps[dep.index()], StepState::Skipped { reason: SkipReason::OutOfScope, .. })
        };
        let is_rejected = |dep: &StepIx| {
            matches!(
                self.run.steps[dep.index()],
                StepState::Completed { rejected: true, .. }
                    | StepState::Skipped { reason: SkipReason::Rejected, .. }
            )
        };
        // First of all, so that a disabled step does not lead around a person's no.
        if planned.condition.is_none() && planned.depends_on.iter().any(is_rejected) {
            Some(SkipReason::Rejected)
        } else if !planned.step.enabled {
            Some(SkipReason::StepDisabled)
        } else if !planned.depends_on.is_empty() && planned.depends_on.iter().all(is_left_out) {
            // What only steps that were left out lead to is left out with them.
            Some(SkipReason::OutOfScope)
        } else {
            None
        }
    }

    /// A terminal step has completed: what has not started is left out, what is under way may finish.
    pub(super) fn close_episode(&mut self, now: Timestamp) {
        for index in 0..self.run.steps.len() {
            let step = step_ix(index);
            if self.run.steps[index] == StepState::Pending {
                self.ready.remove(&step);
                self.open = self.open.saturating_sub(1);
                let reason = SkipReason::OutOfScope;
                self.set(step.into(), StepState::Skipped { reason, at: now });
                self.page.push(now, Some(step.into()), EventKind::StepSkipped { reason });
            }
        }
    }
}
