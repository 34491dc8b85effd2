//! `GET /v1/mcp/servers/{id}`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadMcp, CommonErrors, Path};
use shared::services::mcp::server::get;
use shared::services::mcp::view::ServerView;
use shared::types::ids::McpServerId;
use shared::{AppState, Result};

/// Read an MCP server with the tools of its active version.
#[utoipa::path(get, path = "/v1/mcp/servers/{id}", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = ServerView), CommonErrors))]
pub async fn get_server(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Path(id): Path<McpServerId>,
) -> Result<Json<ServerView>> {
    get(&state, &caller.place, id).await.map(Json)
}
