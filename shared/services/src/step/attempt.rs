//! An attempt at an effect outside the run, and what became of it.

use std::time::Duration;

use engine::Outcome;
use platform::fair_semaphore::Holder;
use types::ids::{Place, RunId, WorkflowId};
use types::tokens::Tokens;

/// The attempt that a call belongs to.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Tenant and project.
    pub place: Place,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The run.
    pub run_id: RunId,
    /// `run_id/step_id[/index]/attempt`: the same for every delivery of the same attempt.
    pub key: String,
    /// What it may take.
    pub timeout: Duration,
}

impl Attempt {
    /// By which permits are counted.
    pub fn holder(&self) -> Holder {
        Holder::run(&self.place.tenant_id, self.run_id)
    }
}

/// What became of a step that was executed.
#[derive(Debug)]
pub struct Performed {
    /// Its result or failure.
    pub outcome: Outcome,
    /// Lines for the step's log.
    pub log: Vec<String>,
    /// What it cost at models.
    pub tokens: Tokens,
}
