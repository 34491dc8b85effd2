//! `DELETE /v1/mcp/servers/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::server::delete;
use shared::types::ids::McpServerId;
use shared::{AppState, Result};

/// Delete an MCP server that has no instances.
#[utoipa::path(delete, path = "/v1/mcp/servers/{id}", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_server(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<McpServerId>,
) -> Result<StatusCode> {
    delete(&state, &caller.place, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
