//! Open human tasks, of a tenant and of a run.

use std::collections::BTreeSet;

use super::view::Task;
use crate::auth::Caller;
use crate::members::Reach;
use crate::state::AppState;
use platform::boxed;
use store::{Listed, TaskRecord};
use types::clock::Timestamp;
use types::ids::{RunId, RunRef, WorkflowId};
use types::{Error, Result};

/// The open human tasks of a tenant in the projects in which the caller has a role, newest first, after a place in the list.
///
/// # Errors
/// Invalid when the place is none of this list; when the database does not answer.
#[boxed]
pub async fn inbox(
    state: &AppState,
    caller: &Caller,
    limit: usize,
    after: Option<&str>,
) -> Result<Listed<Task>> {
    if after.is_some_and(|after| !is_position(after)) {
        return Err(Error::invalid("cursor: is not one of this list's."));
    }
    let reach = Reach::of(state, caller).await?;
    let after = after.map(str::to_owned);
    let listed =
        state.store.inbox(&caller.place.tenant_id, limit, after, |project| reach.includes(project)).await?;
    Ok(Listed { rows: with_names(state, listed.rows).await?, next: listed.next })
}

/// The open human tasks of a run.
///
/// # Errors
/// Not found when there is no such run of this workflow; when the database does not answer.
#[boxed]
pub async fn pending_of_run(state: &AppState, key: &RunRef, workflow_id: WorkflowId) -> Result<Vec<Task>> {
    let record = state.store.run(key).await?;
    record.filter(|record| record.run.workflow_id == workflow_id).ok_or_else(|| Error::not_found("run"))?;
    let rows = state.store.tasks_of_run(key).await?;
    with_names(state, rows).await
}

async fn with_names(state: &AppState, rows: Vec<TaskRecord>) -> Result<Vec<Task>> {
    let wanted: BTreeSet<_> = rows.iter().map(|row| (row.run.place.clone(), row.workflow_id)).collect();
    let workflows = state.store.workflows(&wanted).await?;
    Ok(rows.into_iter().map(|row| Task::new(row, &workflows)).collect())
}

/// A place in the inbox: time, `#`, run id, `#`, place in the run.
fn is_position(text: &str) -> bool {
    let mut parts = text.splitn(3, '#');
    let mut part = || parts.next().unwrap_or_default();
    part().parse::<Timestamp>().is_ok() && part().parse::<RunId>().is_ok() && !part().is_empty()
}
