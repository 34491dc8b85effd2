//! `GET /v1/mcp/servers/{id}`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadMcp, CommonErrors, Path};
use shared::services::mcp::server::find;
use shared::types::ids::McpServerId;
use shared::{AppState, Result};

use crate::view::ServerView;

/// Read an MCP server with the tools of its active version.
#[utoipa::path(get, path = "/v1/mcp/servers/{id}", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = ServerView), CommonErrors))]
pub async fn get_server(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Path(id): Path<McpServerId>,
) -> Result<Json<ServerView>> {
    let record = find(&state, &caller.place, id).await?;
    let tools = match record.active_version {
        Some(version) => Some(state.mcp.tools(&state.store, &caller.place, id, version).await?),
        None => None,
    };
    Ok(Json(ServerView::with_tools(record, tools.as_deref().map(Vec::as_slice))))
}
