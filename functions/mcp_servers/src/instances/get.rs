//! `GET`, `PATCH` and `DELETE /v1/mcp/instances/{id}`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanReadMcp, CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::instance;
use shared::services::mcp::view::InstanceView;
use shared::types::ids::InstanceId;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchInstance {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether it may be called.
    enabled: Option<bool>,
}

/// Read an instance.
#[utoipa::path(get, path = "/v1/mcp/instances/{id}", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = InstanceView), CommonErrors))]
pub async fn get_instance(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Path(id): Path<InstanceId>,
) -> Result<Json<InstanceView>> {
    InstanceView::new(instance::find(&state, &caller.place, id).await?).map(Json)
}

/// Change an instance.
#[utoipa::path(patch, path = "/v1/mcp/instances/{id}", tag = "mcp", request_body = PatchInstance,
               params(("id" = uuid::Uuid, Path)), responses((status = 200, body = InstanceView), CommonErrors))]
pub async fn patch_instance(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<InstanceId>,
    Body(patch): Body<PatchInstance>,
) -> Result<Json<InstanceView>> {
    let name = patch.name.map(|name| text::name("name", &name)).transpose()?;
    InstanceView::new(instance::change(&state, &caller.place, id, name, patch.enabled).await?).map(Json)
}

/// Delete an instance with its profiles. Graphs that name it no longer start.
#[utoipa::path(delete, path = "/v1/mcp/instances/{id}", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_instance(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<InstanceId>,
) -> Result<StatusCode> {
    instance::delete(&state, &caller.place, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
