//! Answers to human tasks.

use serde_json::{Map, Value};

use crate::auth::Caller;
use crate::run::complete_task;
use crate::state::AppState;
use engine::Answer;
use platform::boxed;
use types::ids::{RunId, RunRef, WorkflowId};
use types::{Error, Result};

/// The most characters of a note.
const LONGEST_NOTES: usize = 10_000;

/// An answer to a human task.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Yes or no. Of the review of a failed item: try it again, or leave it out.
    pub approved: bool,
    /// More, for the step's result.
    pub result: Map<String, Value>,
    /// For the run's history.
    pub notes: Option<String>,
}

/// Answers an open human task.
///
/// # Errors
/// Invalid when the notes are too long; not found when the run has no such task; conflict when it is answered or no
/// longer wanted.
#[boxed]
pub async fn complete(
    state: &AppState,
    caller: &Caller,
    workflow_id: WorkflowId,
    run_id: RunId,
    task_id: &str,
    completion: Completion,
) -> Result<()> {
    let Completion { approved, result, notes } = completion;
    if notes.as_ref().is_some_and(|notes| notes.chars().count() > LONGEST_NOTES) {
        return Err(Error::invalid(format!("notes: must have at most {LONGEST_NOTES} characters.")));
    }
    let completed_by = Some(format!("pat:{}", caller.pat_id));
    let answer = Answer { approved, result, notes, completed_by };
    let key = RunRef { place: caller.place.clone(), run_id };
    complete_task(state, &key, workflow_id, task_id, answer).await
}
