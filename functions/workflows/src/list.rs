//! `GET /v1/workflows`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Query};
use shared::services::workflows::{self, WorkflowFilter, WorkflowView};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which workflows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkflowsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `draft`, `published`, `archived`, separated by commas; `draft,published` when absent.
    status: Option<String>,
    /// The name contains this, in whatever case.
    q: Option<String>,
}

/// Workflows, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Workflows {
    /// Without their graphs.
    workflows: Vec<WorkflowView>,
    /// Where to go on, when there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List workflows, newest first.
#[utoipa::path(get, path = "/v1/workflows", tag = "workflows", params(WorkflowsQuery),
               responses((status = 200, body = Workflows), CommonErrors))]
pub async fn list_workflows(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Query(query): Query<WorkflowsQuery>,
) -> Result<Json<Workflows>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let after = page.after()?;
    let filter = WorkflowFilter { status: query.status, name_contains: query.q };
    let listed = workflows::list(&state, &caller.place, filter, page.limit, after).await?;
    Ok(Json(Workflows { workflows: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
