//! What follows from a run's state: which steps may begin, whose they are, when somebody must look again.

use std::time::Duration;

use super::{Machine, RunStatus, StepState, step_ix};
use crate::clock::Timestamp;
use crate::workflow::StepIx;

/// How long a ready step may wait for a worker before the sweep sends another message.
const PICK_UP: Duration = Duration::from_secs(30);

impl Machine {
    /// A step that may begin now.
    pub fn first_ready(&self, now: Timestamp) -> Option<StepIx> {
        if self.run.status != RunStatus::Running {
            return None;
        }
        let is_due =
            |state: &StepState| matches!(state, StepState::Queued { not_before, .. } if *not_before <= now);
        let due = || self.run.steps.iter().position(is_due).map(step_ix);
        self.ready.first().copied().or_else(due)
    }

    /// How many steps could begin for the first time now.
    pub fn count_ready(&self) -> usize {
        self.ready.len()
    }

    /// Whether this session holds the step.
    pub fn is_held_by(&self, step: StepIx, owner: &str) -> bool {
        matches!(self.state(step), StepState::Running { lease, .. } if lease.owner == owner)
    }

    /// Whether a session other than this one holds a step.
    pub fn is_shared(&self, owner: &str) -> bool {
        self.run.steps.iter().any(|s| matches!(s, StepState::Running { lease, .. } if lease.owner != owner))
    }

    /// The earliest retry that is still to come.
    pub fn next_retry(&self) -> Option<Timestamp> {
        let retry = |state: &StepState| match state {
            StepState::Queued { not_before, .. } => Some(*not_before),
            _ => None,
        };
        self.run.steps.iter().filter_map(retry).min()
    }

    /// When somebody must look at this run again, whatever becomes of messages and workers; none when it is
    /// over.
    pub fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        if self.run.status.is_terminal() {
            return None;
        }
        let of_step = |state: &StepState| match state {
            StepState::Running { lease, .. } => Some(lease.until),
            StepState::Queued { not_before, .. } => Some(not_before.plus(PICK_UP)),
            _ => None,
        };
        let steps = self.run.steps.iter().filter_map(of_step).min();
        let pick_up = now.plus(PICK_UP);
        if self.ready.is_empty() {
            steps.or(Some(pick_up))
        } else {
            steps.min(Some(pick_up)).or(Some(pick_up))
        }
    }
}
