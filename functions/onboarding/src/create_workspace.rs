//! `POST /v1/onboarding/workspaces`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CommonErrors, Operator};
use shared::services::workspaces;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A workspace to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    /// Its name for people, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    name: String,
    /// Its id: 1–63 of `a-z 0-9 -`.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "acme")]
    slug: String,
    /// Its first project, `default` when absent; the same characters.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "prod")]
    project_id: Option<String>,
}

/// An open workspace.
#[derive(Debug, Serialize, ToSchema)]
pub struct Workspace {
    /// The tenant's id: the slug.
    tenant_id: String,
    /// Its first project.
    project_id: String,
    /// A token with the rights of a tenant admin, shown this once.
    #[schema(example = "pat_…")]
    token: String,
}

/// Open a workspace.
///
/// The bearer is the operator token, which the deployment keeps in its secret store.
#[utoipa::path(post, path = "/v1/onboarding/workspaces", tag = "operators", request_body = NewWorkspace,
               responses((status = 201, body = Workspace), CommonErrors))]
pub async fn create_workspace(
    State(state): State<AppState>,
    _: Operator,
    Body(new): Body<NewWorkspace>,
) -> Result<(StatusCode, Json<Workspace>)> {
    let NewWorkspace { name, slug, project_id } = new;
    let new = workspaces::NewWorkspace { name, slug, project_id };
    let (place, token) = workspaces::create(&state, &new).await?;
    let workspace = Workspace {
        tenant_id: place.tenant_id.to_string(),
        project_id: place.project_id.to_string(),
        token: token.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(workspace)))
}
