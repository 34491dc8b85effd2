//! `POST /v1/projects/{project_id}/restore`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::store::StoreError;
use shared::{AppState, Result};

use super::view::{ProjectView, find};
use crate::MOST_TRIES;

/// Undo the archiving of a project. Its tokens have ended; make new ones.
#[utoipa::path(post, path = "/v1/projects/{project_id}/restore", tag = "access",
               params(("project_id" = String, Path)),
               responses((status = 200, body = ProjectView), CommonErrors))]
pub async fn restore_project(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<String>,
) -> Result<Json<ProjectView>> {
    for _ in 0..MOST_TRIES {
        let mut project = find(&state, &caller, &id).await?;
        if project.archived_at.take().is_none() {
            return Ok(Json(project.into()));
        }
        project.updated_at = state.clock.now();
        match state.store.save_project(&mut project).await {
            Err(StoreError::Conflict) => {}
            saved => {
                saved?;
                return Ok(Json(project.into()));
            }
        }
    }
    Err(StoreError::Conflict.into())
}
