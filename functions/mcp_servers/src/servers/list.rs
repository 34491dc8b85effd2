//! `GET /v1/mcp/servers`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::api::{CanReadMcp, CommonErrors, Cursor, Page, Query};
use shared::services::mcp::server::list;
use shared::services::mcp::view::ServerView;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::list::ListQuery;

/// Servers, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Servers {
    /// The servers.
    servers: Vec<ServerView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the project's MCP servers, newest first.
#[utoipa::path(get, path = "/v1/mcp/servers", tag = "mcp", params(ListQuery),
               responses((status = 200, body = Servers), CommonErrors))]
pub async fn list_servers(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Query(query): Query<ListQuery>,
) -> Result<Json<Servers>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = list(&state, &caller.place, page.limit, page.after()?).await?;
    let servers = listed.rows.into_iter().map(ServerView::from).collect();
    Ok(Json(Servers { servers, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
