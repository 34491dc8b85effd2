//! `GET /v1/workflows`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Query};
use shared::store::WorkflowStatus;
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::view::WorkflowView;

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
    let wanted = statuses(query.status.as_deref().unwrap_or("draft,published"))?;
    let contains = query.q.unwrap_or_default().to_lowercase();
    let listed = state
        .store
        .list_workflows(&caller.place, page.limit, after, |row| {
            wanted.contains(&row.status()) && row.name.to_lowercase().contains(&contains)
        })
        .await?;
    let workflows = listed.rows.into_iter().map(|row| WorkflowView::new(row, None, None)).collect();
    Ok(Json(Workflows { workflows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}

fn statuses(text: &str) -> Result<Vec<WorkflowStatus>> {
    let one = |name: &str| match name.trim() {
        "draft" => Ok(WorkflowStatus::Draft),
        "published" => Ok(WorkflowStatus::Published),
        "archived" => Ok(WorkflowStatus::Archived),
        other => Err(Error::invalid(format!("status: {other:?} is none of draft, published, archived."))),
    };
    text.split(',').map(one).collect()
}
