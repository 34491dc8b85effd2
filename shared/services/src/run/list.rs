//! Lists of runs.

use super::view::RunView;
use crate::auth::Caller;
use crate::members::Reach;
use crate::state::AppState;
use engine::RunStatus;
use platform::boxed;
use store::{Feed, Listed, RunRow};
use types::clock::Timestamp;
use types::ids::{Place, ProjectId, RunId, WorkflowId};
use types::{Error, Result};

/// Which runs to list.
#[derive(Debug, Clone)]
pub struct RunFilter {
    /// In one of these states.
    pub statuses: Vec<RunStatus>,
    /// Started at this time or later.
    pub since: Option<Timestamp>,
    /// Of this workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Of this project.
    pub project_id: Option<ProjectId>,
}

impl RunFilter {
    fn keeps(&self, row: &RunRow) -> bool {
        self.statuses.contains(&row.status)
            && self.workflow_id.is_none_or(|id| id == row.workflow_id)
            && self.project_id.as_ref().is_none_or(|id| *id == row.project_id)
    }
}

/// Reads states of runs, separated by commas; all of them when there is no text.
///
/// # Errors
/// Invalid, naming what is none.
pub fn statuses(text: Option<&str>) -> Result<Vec<RunStatus>> {
    let Some(text) = text else { return Ok(RunStatus::ALL.to_vec()) };
    let one = |name: &str| {
        let known = || RunStatus::ALL.map(RunStatus::as_str).join(", ");
        RunStatus::parse(name.trim())
            .ok_or_else(|| Error::invalid(format!("status: {name:?} is none of {}.", known())))
    };
    text.split(',').map(one).collect()
}

/// The runs of a tenant in the projects in which the caller has a role, newest first, after a place in the list.
///
/// # Errors
/// Invalid when the place is none of this list; when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    caller: &Caller,
    filter: &RunFilter,
    limit: usize,
    after: Option<String>,
) -> Result<Listed<RunView>> {
    let reach = Reach::of(state, caller).await?;
    let keep = |row: &RunRow| filter.keeps(row) && reach.includes(&row.project_id);
    listed(state, Feed::Tenant(&caller.place.tenant_id), filter.since, limit, after, keep).await
}

/// The runs of a workflow, newest first, after a place in the list.
///
/// # Errors
/// Not found when there is no such workflow; invalid when the place is none of this list; when the database does not
/// answer.
#[boxed]
pub async fn list_of_workflow(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    filter: &RunFilter,
    limit: usize,
    after: Option<String>,
) -> Result<Listed<RunView>> {
    state.store.workflow(place, id).await?.ok_or_else(|| Error::not_found("workflow"))?;
    listed(state, Feed::Workflow(place, id), filter.since, limit, after, |row| filter.keeps(row)).await
}

async fn listed(
    state: &AppState,
    feed: Feed<'_>,
    since: Option<Timestamp>,
    limit: usize,
    after: Option<String>,
    keep: impl Fn(&RunRow) -> bool,
) -> Result<Listed<RunView>> {
    if after.as_deref().is_some_and(|after| !is_position(after)) {
        return Err(Error::invalid("cursor: is not one of this list's."));
    }
    let listed = state.store.list_runs(feed, limit, after, since, keep).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(RunView::from).collect(), next: listed.next })
}

/// A place in a list of runs: start time, `#`, run id.
fn is_position(text: &str) -> bool {
    text.split_once('#').is_some_and(|(started_at, id)| {
        started_at.parse::<Timestamp>().is_ok() && id.parse::<RunId>().is_ok()
    })
}
