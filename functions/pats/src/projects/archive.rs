//! `DELETE /v1/projects/{project_id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::services::projects;
use shared::{AppState, Result};

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
    projects::archive(&state, &caller.place, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
