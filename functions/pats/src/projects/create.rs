//! `POST /v1/projects`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors};
use shared::services::projects::{self, ProjectView};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A project to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Its id: 1–63 of `a-z 0-9 -`.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "prod")]
    project_id: String,
    /// Its name, 1–200 characters; its id when absent.
    #[schema(min_length = 1, max_length = 200, example = "Production")]
    name: Option<String>,
    /// What it is for, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    description: String,
}

/// Make a project.
///
/// Tenant admins come into it with a token that they make for it: `POST /v1/pats` with `project_id`.
#[utoipa::path(post, path = "/v1/projects", tag = "access", request_body = NewProject,
               responses((status = 201, body = ProjectView), CommonErrors))]
pub async fn create_project(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Body(new): Body<NewProject>,
) -> Result<(StatusCode, Json<ProjectView>)> {
    let NewProject { project_id, name, description } = new;
    let new = projects::NewProject { project_id, name, description };
    let made = projects::create(&state, &caller.place.tenant_id, &new).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
