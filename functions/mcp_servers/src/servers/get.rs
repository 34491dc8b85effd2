//! `GET /v1/mcp/servers/{id}`.

use axum::Json;
use axum::extract::State;
use shared::http::{CanReadIntegrations, CommonErrors, Path};
use shared::ids::McpServerId;
use shared::mcp::server::find;
use shared::{AppState, Result};

use crate::view::ServerView;

/// Read an MCP server.
#[utoipa::path(get, path = "/v1/mcp/servers/{id}", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = ServerView), CommonErrors))]
pub async fn get_server(
    State(state): State<AppState>,
    CanReadIntegrations(caller): CanReadIntegrations,
    Path(id): Path<McpServerId>,
) -> Result<Json<ServerView>> {
    Ok(Json(find(&state, &caller.place, id).await?.into()))
}
