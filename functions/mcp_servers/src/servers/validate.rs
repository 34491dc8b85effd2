//! `POST /v1/mcp/servers/{id}/validate` and `…/connections/{connection_id}/validate`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::validate::{self, Validity};
use shared::types::ids::{ConnectionId, McpServerId};
use shared::{AppState, Result};

/// Check whether a server can be used, without credentials.
#[utoipa::path(post, path = "/v1/mcp/servers/{id}/validate", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = Validity), CommonErrors))]
pub async fn validate_server(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<McpServerId>,
) -> Result<Json<Validity>> {
    validate::server(&state, &caller, id).await.map(Json)
}

/// Check whether a server can be used with a connection's credentials.
#[utoipa::path(post, path = "/v1/mcp/servers/{id}/connections/{connection_id}/validate", tag = "mcp",
               params(("id" = uuid::Uuid, Path), ("connection_id" = uuid::Uuid, Path)),
               responses((status = 200, body = Validity), CommonErrors))]
pub async fn validate_connection(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path((id, connection_id)): Path<(McpServerId, ConnectionId)>,
) -> Result<Json<Validity>> {
    validate::server_with_connection(&state, &caller, id, connection_id).await.map(Json)
}
