//! A project is put away, and taken out again.

use super::read::{MOST_TRIES, find};
use super::view::ProjectView;
use crate::pats;
use crate::quotas::check;
use crate::state::AppState;
use platform::boxed;
use store::{Counted, ProjectRecord, StoreError};
use types::error::ErrorCode;
use types::ids::{Place, TenantId, WorkflowId};
use types::{Error, Result};

/// Archives a project of the caller's workspace: nobody comes in until it is restored, and its tokens end.
///
/// # Errors
/// Not found; conflict `OWN_PROJECT` when it is the caller's own, `PROJECT_NOT_EMPTY` when one of its workflows is not
/// archived.
#[boxed]
pub async fn archive(state: &AppState, own: &Place, id: &str) -> Result<()> {
    let project = find(state, &own.tenant_id, id).await?;
    if project.project_id == own.project_id {
        let message = "This is the project of your own token; archive it with a token of another project.";
        return Err(Error::conflict(ErrorCode::OwnProject, message));
    }
    let place = Place { tenant_id: project.tenant_id.clone(), project_id: project.project_id.clone() };
    check_workflows(state, &place).await?;
    put_away(state, id, project).await?;
    // Only now, when no others can be made. Whoever is interrupted here archives again, and goes on.
    pats::revoke_all(state, &place).await
}

async fn check_workflows(state: &AppState, place: &Place) -> Result<()> {
    let mut cursor: Option<WorkflowId> = None;
    loop {
        let listed = state.store.list_workflows(place, 1, cursor, |workflow| !workflow.archived).await?;
        if let Some(workflow) = listed.rows.first() {
            return Err(Error::conflict(
                ErrorCode::ProjectNotEmpty,
                format!(
                    "The workflow {:?} of this project is not archived; archive it first.",
                    workflow.name
                ),
            ));
        }
        match listed.next {
            Some(next) => cursor = next.parse().ok(),
            None => return Ok(()),
        }
    }
}

async fn put_away(state: &AppState, id: &str, mut project: ProjectRecord) -> Result<()> {
    for _ in 0..MOST_TRIES {
        if project.archived_at.is_some() {
            return Ok(());
        }
        let now = state.clock.now();
        project.archived_at = Some(now);
        project.updated_at = now;
        match state.store.save_project(&mut project).await {
            Err(StoreError::Conflict) => project = find(state, &project.tenant_id, id).await?,
            saved => return Ok(saved?),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Undoes the archiving of a project. Its tokens stay ended.
///
/// # Errors
/// Not found; conflict when the workspace has as many projects as it may.
#[boxed]
pub async fn restore(state: &AppState, tenant: &TenantId, id: &str) -> Result<ProjectView> {
    for _ in 0..MOST_TRIES {
        let mut project = find(state, tenant, id).await?;
        if project.archived_at.take().is_none() {
            return Ok(project.into());
        }
        check(state, &Counted::Projects(tenant.clone())).await?;
        project.updated_at = state.clock.now();
        match state.store.save_project(&mut project).await {
            Err(StoreError::Conflict) => {}
            saved => {
                saved?;
                return Ok(project.into());
            }
        }
    }
    Err(StoreError::Conflict.into())
}
