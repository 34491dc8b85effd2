//! `GET` and `POST /v1/mcp/servers/{id}/versions`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::api::{Body, CanReadMcp, CanWriteMcp, CommonErrors, Cursor, Page, Path, Query};
use shared::services::mcp::versions::{Publish, list, publish};
use shared::services::mcp::view::McpVersionView;
use shared::types::ids::McpServerId;
use shared::types::mcp::ToolSpec;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::list::ListQuery;

/// A catalog of tools to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishTools {
    /// What to call the version; its number when absent.
    #[serde(default)]
    #[schema(max_length = 64, example = "1.2.0")]
    version: Option<String>,
    /// The tools; those that were discovered last when absent.
    #[serde(default)]
    #[schema(max_items = 500)]
    tools: Option<Vec<ToolSpec>>,
    /// The JSON Schema of the `config` of instances' profiles.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config_schema: Option<Value>,
    /// Whether these tools count from now on.
    #[serde(default)]
    activate: bool,
    /// Whether tools of the active version may be missing; without it that is refused with 409 `TOOLS_DROPPED`.
    #[serde(default)]
    confirm_dropped: bool,
}

/// Versions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct McpVersions {
    /// The versions, without their tools.
    versions: Vec<McpVersionView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the published catalogs of a server, newest first.
#[utoipa::path(get, path = "/v1/mcp/servers/{id}/versions", tag = "mcp",
               params(("id" = uuid::Uuid, Path), ListQuery),
               responses((status = 200, body = McpVersions), CommonErrors))]
pub async fn list_server_versions(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Path(id): Path<McpServerId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<McpVersions>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = list(&state, &caller.place, id, page.limit, page.after.as_deref()).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(McpVersions { versions: listed.rows, next_cursor }))
}

/// Publish a catalog of tools; it never changes.
#[utoipa::path(post, path = "/v1/mcp/servers/{id}/versions", tag = "mcp", request_body = PublishTools,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 201, body = McpVersionView), CommonErrors))]
pub async fn publish_tools(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<McpServerId>,
    Body(body): Body<PublishTools>,
) -> Result<(StatusCode, Json<McpVersionView>)> {
    let PublishTools { version, tools, config_schema, activate, confirm_dropped } = body;
    let new = Publish { version, tools, config_schema, activate, confirm_dropped };
    let published = publish(&state, &caller.place, id, new).await?;
    Ok((StatusCode::CREATED, Json(published)))
}
