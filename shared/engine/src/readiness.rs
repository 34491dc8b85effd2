//! Whether a step waits for another.

use workflow::{Plan, StepIx};

use crate::state::Run;
use crate::step_state::StepState;

/// Whether a step no longer holds its dependants up.
pub fn lets_go(plan: &Plan, run: &Run, step: StepIx) -> bool {
    match &run.steps[step.index()] {
        StepState::Completed { .. } | StepState::Skipped { .. } => true,
        StepState::Failed { .. } => plan.step(step).step.continue_on_error,
        StepState::Pending
        | StepState::Queued { .. }
        | StepState::Running { .. }
        | StepState::Waiting { .. }
        | StepState::Looping { .. }
        | StepState::Cancelled { .. } => false,
    }
}
