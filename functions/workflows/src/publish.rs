//! `POST /v1/workflows/{id}/versions`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::services::workflows::{self, VersionView};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A version to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// What changed, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000, example = "first")]
    changelog: String,
}

/// Publish the draft.
///
/// A draft equal to the latest version, with the same saved defaults, publishes nothing: the answer is 200 with
/// that version.
#[utoipa::path(post, path = "/v1/workflows/{id}/versions", tag = "workflows", request_body = Publish,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 201, body = VersionView, description = "published"),
                         (status = 200, body = VersionView, description = "nothing changed since"), CommonErrors))]
pub async fn publish_version(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
    Body(publish): Body<Publish>,
) -> Result<(StatusCode, Json<VersionView>)> {
    let published = workflows::publish(&state, &caller.place, id, &publish.changelog).await?;
    let status = if published.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(published.version)))
}
