//! `POST /v1/mcp/servers/{id}/discover`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::versions::discover;
use shared::services::mcp::view::Discovered;
use shared::types::ids::{ConnectionId, McpServerId};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// With what to ask.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// The connection whose credentials the server wants to see. Without one, what an instance of the server is bound to
    /// is used, and else no credentials.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
}

/// Connect to an MCP server and list its tools. They are kept until they are published.
#[utoipa::path(post, path = "/v1/mcp/servers/{id}/discover", tag = "mcp", request_body = Discover,
               params(("id" = uuid::Uuid, Path)), responses((status = 200, body = Discovered), CommonErrors))]
pub async fn discover_tools(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<McpServerId>,
    Body(with): Body<Discover>,
) -> Result<Json<Discovered>> {
    discover(&state, &caller, id, with.connection_id).await.map(Json)
}
