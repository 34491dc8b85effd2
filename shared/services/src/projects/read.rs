//! Projects read: one by its id, and a workspace's in a list.

use super::view::ProjectView;
use crate::state::AppState;
use platform::boxed;
use store::{Listed, ProjectRecord};
use types::ids::{ProjectId, TenantId};
use types::{Error, Result};

/// Somebody else may change the same row at the same moment; then it is read again, at most so often.
pub(super) const MOST_TRIES: usize = 5;

/// A project of a workspace. What cannot be an id is none of its projects.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn get(state: &AppState, tenant: &TenantId, id: &str) -> Result<ProjectView> {
    Ok(find(state, tenant, id).await?.into())
}

/// A workspace's projects, archived ones too, in the order of their ids, from behind `after`.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    tenant: &TenantId,
    limit: usize,
    after: Option<ProjectId>,
) -> Result<Listed<ProjectView>> {
    let listed = state.store.list_projects(tenant, limit, after).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(ProjectView::from).collect(), next: listed.next })
}

/// A project's row; not found when the workspace has none of this id.
pub(super) async fn find(state: &AppState, tenant: &TenantId, id: &str) -> Result<ProjectRecord> {
    let missing = || Error::not_found("project");
    let id: ProjectId = id.parse().map_err(|_| missing())?;
    state.store.project(tenant, &id).await?.ok_or_else(missing)
}
