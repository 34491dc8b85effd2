//! `GET` and `PUT /v1/workflows/{id}/connection-overrides`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanReadMcp, CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::overrides;
use shared::types::ids::{ConnectionId, InstanceId, WorkflowId};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A connection instead of the one that an instance's profile names.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The instance.
    #[schema(value_type = uuid::Uuid)]
    instance_id: InstanceId,
    /// The connection.
    #[schema(value_type = uuid::Uuid)]
    connection_id: ConnectionId,
}

/// All overrides of a workflow.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionOverrides {
    /// Each instance at most once.
    overrides: Vec<Override>,
}

/// That it was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replaced {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Read which connections a workflow uses instead of what profiles say.
#[utoipa::path(get, path = "/v1/workflows/{id}/connection-overrides", tag = "mcp",
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = ConnectionOverrides), CommonErrors))]
pub async fn get_overrides(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Path(id): Path<WorkflowId>,
) -> Result<Json<ConnectionOverrides>> {
    let found = overrides::get(&state, &caller.place, id).await?.by_instance.into_iter();
    let overrides =
        found.map(|(instance_id, connection_id)| Override { instance_id, connection_id }).collect();
    Ok(Json(ConnectionOverrides { overrides }))
}

/// Replace them all. Runs under way keep what they were started with.
#[utoipa::path(put, path = "/v1/workflows/{id}/connection-overrides", tag = "mcp",
               request_body = ConnectionOverrides, params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = Replaced), CommonErrors))]
pub async fn put_overrides(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<WorkflowId>,
    Body(body): Body<ConnectionOverrides>,
) -> Result<Json<Replaced>> {
    let pairs: Vec<_> = body.overrides.iter().map(|each| (each.instance_id, each.connection_id)).collect();
    overrides::replace(&state, &caller, id, &pairs).await?;
    Ok(Json(Replaced { status: "ok" }))
}
