//! `POST /v1/projects/{project_id}/restore`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::services::projects::{self, ProjectView};
use shared::{AppState, Result};

/// Undo the archiving of a project. Its tokens have ended; make new ones.
#[utoipa::path(post, path = "/v1/projects/{project_id}/restore", tag = "access",
               params(("project_id" = String, Path)),
               responses((status = 200, body = ProjectView), CommonErrors))]
pub async fn restore_project(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<String>,
) -> Result<Json<ProjectView>> {
    Ok(Json(projects::restore(&state, &caller.place.tenant_id, &id).await?))
}
