//! `GET /v1/mcp/tools`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadMcp, CommonErrors, Cursor, Page, Query};
use shared::services::mcp::tools::{FoundTool, ToolsWanted, find};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ToolsQuery {
    /// Words that the name or the description contains, in any case.
    q: Option<String>,
    /// Only tools of exactly this name.
    name: Option<String>,
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Tools, by instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundTools {
    /// The tools.
    tools: Vec<FoundTool>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Find tools among all of the project's instances.
#[utoipa::path(get, path = "/v1/mcp/tools", tag = "mcp", params(ToolsQuery),
               responses((status = 200, body = FoundTools), CommonErrors))]
pub async fn list_tools(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Query(query): Query<ToolsQuery>,
) -> Result<Json<FoundTools>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let begin: usize = page.after()?.unwrap_or(0);
    let wanted = ToolsWanted { text: query.q, name: query.name };
    let listed = find(&state, &caller.place, wanted, page.limit, begin).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(FoundTools { tools: listed.rows, next_cursor }))
}
