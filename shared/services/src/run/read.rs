//! What the API reads of a run, waiting for it to move where that is asked for.

use std::time::Duration;

use super::reader::Reader;
use super::view::{ContextView, EventView, RunSummary, RunView};
use crate::state::AppState;
use platform::boxed;
use store::Listed;
use types::Result;
use types::ids::{RunRef, WorkflowId};

/// A run with its steps and outputs, when it is over or after so long.
///
/// # Errors
/// Not found when there is no such run of this workflow; when the database does not answer.
#[boxed]
pub async fn get(state: &AppState, key: &RunRef, workflow_id: WorkflowId, wait: Duration) -> Result<RunView> {
    let mut waiter = state.watch.subscribe(key);
    let reader = Reader::load(state, key, workflow_id).await?.when_over(&mut waiter, wait).await?;
    reader.view().await
}

/// A run in short.
///
/// # Errors
/// Not found when there is no such run of this workflow; when the database does not answer.
#[boxed]
pub async fn summary(state: &AppState, key: &RunRef, workflow_id: WorkflowId) -> Result<RunSummary> {
    Ok(Reader::load(state, key, workflow_id).await?.summary())
}

/// A run's input and what its steps made of it; of one step only when it is named.
///
/// # Errors
/// Not found when there is no such run of this workflow, or its version has no such step; when the database does not
/// answer.
#[boxed]
pub async fn context(
    state: &AppState,
    key: &RunRef,
    workflow_id: WorkflowId,
    step_id: Option<&str>,
) -> Result<ContextView> {
    Reader::load(state, key, workflow_id).await?.context(step_id).await
}

/// A run's events after the one of this number, oldest first, and after which to go on. When there are none yet: as soon
/// as there are, or the run is over, or after so long.
///
/// # Errors
/// Not found when there is no such run of this workflow; when the database does not answer.
#[boxed]
pub async fn events(
    state: &AppState,
    key: &RunRef,
    workflow_id: WorkflowId,
    (after, limit): (u64, usize),
    wait: Duration,
) -> Result<Listed<EventView>> {
    let mut waiter = state.watch.subscribe(key);
    let reader = Reader::load(state, key, workflow_id).await?.when_beyond(after, &mut waiter, wait).await?;
    let rows = reader.events(after, limit).await?;
    let last = rows.last().map(|event| event.seq);
    let next = last.filter(|seq| *seq < reader.newest_seq()).map(|seq| seq.to_string());
    Ok(Listed { rows, next })
}
