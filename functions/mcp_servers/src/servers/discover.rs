//! `POST /v1/mcp/servers/{id}/discover`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::http::{Body, CanWriteIntegrations, CommonErrors, Path};
use shared::ids::{ConnectionId, McpServerId};
use shared::mcp::ToolSpec;
use shared::mcp::server::discover;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// With what to ask.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// The connection whose credentials the server wants to see.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
}

/// What a server says it has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discovered {
    /// What it calls itself.
    server_name: String,
    /// Its version.
    server_version: String,
    /// The version of the protocol that was agreed on.
    protocol_version: String,
    /// How many tools it has.
    tool_count: usize,
    /// Its tools.
    tools: Vec<ToolSpec>,
}

/// Connect to an MCP server and list its tools. They are kept until they are published.
#[utoipa::path(post, path = "/v1/mcp/servers/{id}/discover", tag = "mcp", request_body = Discover,
               params(("id" = uuid::Uuid, Path)), responses((status = 200, body = Discovered), CommonErrors))]
pub async fn discover_tools(
    State(state): State<AppState>,
    CanWriteIntegrations(caller): CanWriteIntegrations,
    Path(id): Path<McpServerId>,
    Body(with): Body<Discover>,
) -> Result<Json<Discovered>> {
    let (_, tools, session) = discover(&state, &caller.place, id, with.connection_id).await?;
    let greeting = session.greeting();
    let said = |what: fn(shared::mcp::Greeting) -> String| greeting.clone().map(what).unwrap_or_default();
    Ok(Json(Discovered {
        server_name: said(|greeting| greeting.name),
        server_version: said(|greeting| greeting.version),
        protocol_version: said(|greeting| greeting.protocol_version),
        tool_count: tools.len(),
        tools,
    }))
}
