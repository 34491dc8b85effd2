//! `PATCH /v1/projects/{project_id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors, Path};
use shared::store::StoreError;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

use super::view::{ProjectView, find};
use crate::MOST_TRIES;

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
    let name = patch.name.map(|name| text::name("name", &name)).transpose()?;
    let description = patch.description.map(|it| text::text("description", &it)).transpose()?;
    for _ in 0..MOST_TRIES {
        let mut record = find(&state, &caller, &id).await?;
        if let Some(name) = &name {
            record.name.clone_from(name);
        }
        if let Some(description) = &description {
            record.description.clone_from(description);
        }
        record.updated_at = state.clock.now();
        match state.store.save_project(&mut record).await {
            Err(StoreError::Conflict) => {}
            saved => {
                saved?;
                return Ok(Json(record.into()));
            }
        }
    }
    Err(StoreError::Conflict.into())
}
