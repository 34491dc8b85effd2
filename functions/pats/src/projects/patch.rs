//! `PATCH /v1/projects/{project_id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors, Path};
use shared::services::projects::{self, ProjectView};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectPatch {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it is for, up to 2,000 characters.
    #[schema(max_length = 2000)]
    description: Option<String>,
}

/// Change a project's name or description.
#[utoipa::path(patch, path = "/v1/projects/{project_id}", tag = "access", request_body = ProjectPatch,
               params(("project_id" = String, Path)),
               responses((status = 200, body = ProjectView), CommonErrors))]
pub async fn patch_project(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<String>,
    Body(patch): Body<ProjectPatch>,
) -> Result<Json<ProjectView>> {
    let change = projects::ProjectChange { name: patch.name, description: patch.description };
    Ok(Json(projects::change(&state, &caller.place.tenant_id, &id, &change).await?))
}
