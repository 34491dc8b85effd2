//! `POST /v1/mcp/servers/{id}/validate` and `…/connections/{connection_id}/validate`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanWriteMcp, CommonErrors, Path};
use shared::platform::secrets::Mask;
use shared::services::connection;
use shared::services::mcp::server::{Validity, find, validate};
use shared::services::mcp::target::of_server;
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
    let server = find(&state, &caller.place, id).await?;
    let mut mask = Mask::default();
    let target = of_server(&state, &server, None, &mut mask).await;
    Ok(Json(validate(&state, &server, target, &mask).await))
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
    let server = find(&state, &caller.place, id).await?;
    connection::find(&state, &caller.place, connection_id).await?;
    let mut mask = Mask::default();
    let target = of_server(&state, &server, Some(connection_id), &mut mask).await;
    Ok(Json(validate(&state, &server, target, &mask).await))
}
