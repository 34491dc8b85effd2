//! `POST /v1/mcp/servers/{id}/discover`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanWriteMcp, CommonErrors, Path};
use shared::clients::mcp::ToolWarning;
use shared::services::mcp::versions::discover;
use shared::types::ids::{ConnectionId, McpServerId};
use shared::types::mcp::ToolSpec;
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
    /// Whether it was asked with credentials: without them it may have shown fewer tools.
    authenticated: bool,
    /// What of the tools cannot be used: parts of schemas that nothing is checked against, tools that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<ToolWarning>,
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
    let found = discover(&state, &caller.place, id, with.connection_id).await?;
    let greeting = found.session.greeting();
    let said =
        |what: fn(shared::clients::mcp::Greeting) -> String| greeting.clone().map(what).unwrap_or_default();
    Ok(Json(Discovered {
        server_name: said(|greeting| greeting.name),
        server_version: said(|greeting| greeting.version),
        protocol_version: said(|greeting| greeting.protocol_version),
        tool_count: found.tools.len(),
        tools: found.tools,
        authenticated: found.authenticated,
        warnings: found.warnings,
    }))
}
