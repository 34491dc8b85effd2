//! `DELETE /v1/projects/{project_id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::services::auth::Caller;
use shared::store::{ProjectRecord, StoreError};
use shared::types::ids::{Place, WorkflowId};
use shared::{AppState, Error, Result};

use super::view::find;
use crate::MOST_TRIES;
use crate::pats::{position, revoke};

/// How many tokens are looked at and revoked at a time.
const PAGE: usize = 100;

/// Archive a project: its tokens end, and nobody comes in until it is restored. What is in it stays.
///
/// Refused while one of its workflows is not archived, so that no trigger goes on in a project that nobody looks at,
/// and for the project of the token that asks.
#[utoipa::path(delete, path = "/v1/projects/{project_id}", tag = "access", params(("project_id" = String, Path)),
               responses((status = 204), CommonErrors))]
pub async fn archive_project(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let project = find(&state, &caller, &id).await?;
    if project.project_id == caller.place.project_id {
        let message = "This is the project of your own token; archive it with a token of another project.";
        return Err(Error::conflict("OWN_PROJECT", message));
    }
    let place = Place { tenant_id: project.tenant_id.clone(), project_id: project.project_id.clone() };
    check_workflows(&state, &place).await?;
    put_away(&state, &caller, &id, project).await?;
    // Only now, when no others can be made. Whoever is interrupted here archives again, and goes on.
    let mut after = None;
    loop {
        let listed = state.store.list_pats(&place, PAGE, after).await?;
        for pat in &listed.rows {
            match revoke(&state, pat).await {
                Err(error) if error.code != "NOT_FOUND" => return Err(error),
                _ => {}
            }
        }
        match listed.next.as_deref().map(position).transpose()? {
            Some(place) => after = Some(place),
            None => return Ok(StatusCode::NO_CONTENT),
        }
    }
}

async fn check_workflows(state: &AppState, place: &Place) -> Result<()> {
    let mut cursor: Option<WorkflowId> = None;
    loop {
        let listed = state.store.list_workflows(place, 1, cursor, |workflow| !workflow.archived).await?;
        if let Some(workflow) = listed.rows.first() {
            return Err(Error::conflict(
                "PROJECT_NOT_EMPTY",
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

async fn put_away(state: &AppState, caller: &Caller, id: &str, mut project: ProjectRecord) -> Result<()> {
    for _ in 0..MOST_TRIES {
        if project.archived_at.is_some() {
            return Ok(());
        }
        let now = state.clock.now();
        project.archived_at = Some(now);
        project.updated_at = now;
        match state.store.save_project(&mut project).await {
            Err(StoreError::Conflict) => project = find(state, caller, id).await?,
            saved => return Ok(saved?),
        }
    }
    Err(StoreError::Conflict.into())
}
