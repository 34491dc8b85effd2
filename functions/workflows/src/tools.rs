//! `GET /v1/workflows/tools`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Query};
use shared::services::workflows::{self, WorkflowTool};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which tools to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ToolsQuery {
    /// Only the one of this name.
    name: Option<String>,
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Tools, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowTools {
    /// The tools; a page may have fewer than asked for, as those of archived and unpublished workflows are left out.
    tools: Vec<WorkflowTool>,
    /// Where to go on, when there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the published workflows that are offered as tools (`expose_as_tool`), by the tool's name.
#[utoipa::path(get, path = "/v1/workflows/tools", tag = "workflows", params(ToolsQuery),
               responses((status = 200, body = WorkflowTools), CommonErrors))]
pub async fn list_workflow_tools(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Query(query): Query<ToolsQuery>,
) -> Result<Json<WorkflowTools>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let after: Option<String> = page.after()?;
    let name = query.name.as_deref();
    let listed = workflows::list_tools(&state, &caller.place, name, page.limit, after).await?;
    Ok(Json(WorkflowTools { tools: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
