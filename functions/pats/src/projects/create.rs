//! `POST /v1/projects`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors};
use shared::store::{ProjectRecord, StoreError};
use shared::types::ids::{ProjectId, seed};
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use super::view::ProjectView;

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
    let project_id: ProjectId =
        new.project_id.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    let now = state.clock.now();
    let record = ProjectRecord {
        name: text::name("name", new.name.as_deref().unwrap_or(project_id.as_str()))?,
        project_id,
        tenant_id: caller.place.tenant_id,
        description: text::text("description", &new.description)?,
        archived_at: None,
        request: seed::request(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    match state.store.create_project(&record).await {
        Err(StoreError::Conflict) => {
            let message = format!("project_id: {} is in use; choose another.", record.project_id);
            Err(Error::conflict("PROJECT_EXISTS", message))
        }
        kept => {
            kept?;
            Ok((StatusCode::CREATED, Json(record.into())))
        }
    }
}
