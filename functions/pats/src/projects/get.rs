//! `GET /v1/projects/{project_id}`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::services::projects::{self, ProjectView};
use shared::{AppState, Result};

/// Read a project.
#[utoipa::path(get, path = "/v1/projects/{project_id}", tag = "access", params(("project_id" = String, Path)),
               responses((status = 200, body = ProjectView), CommonErrors))]
pub async fn get_project(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<String>,
) -> Result<Json<ProjectView>> {
    Ok(Json(projects::get(&state, &caller.place.tenant_id, &id).await?))
}
