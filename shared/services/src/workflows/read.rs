//! Reading workflows: one with its draft, lists without; and the schema of graphs.

use std::sync::LazyLock;

use serde_json::Value;

use super::find::find_with_draft;
use super::tools::exposed;
use super::view::WorkflowView;
use crate::state::AppState;
use platform::boxed;
use store::{Listed, WorkflowStatus};
use types::ids::{Place, WorkflowId};
use types::{Error, Result};
use workflow::graph_schema;

static SCHEMA: LazyLock<Value> = LazyLock::new(graph_schema);

/// Which statuses are listed when none is named.
const USUAL_STATUSES: &str = "draft,published";

/// Which workflows to list.
#[derive(Debug, Default)]
pub struct WorkflowFilter {
    /// `draft`, `published`, `archived`, separated by commas; the first two when absent.
    pub status: Option<String>,
    /// The name contains this, in whatever case.
    pub name_contains: Option<String>,
}

/// A workflow with its draft.
///
/// # Errors
/// Not found when there is none; unavailable when the database does not answer.
#[boxed]
pub async fn get(state: &AppState, place: &Place, id: WorkflowId) -> Result<WorkflowView> {
    let (record, graph) = find_with_draft(state, place, id).await?;
    let tool = exposed(state, &record).await?;
    Ok(WorkflowView::new(record, Some(graph), tool))
}

/// The workflows of a place without their graphs, newest first, from after this one.
///
/// # Errors
/// Invalid when there is no such status; unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    filter: WorkflowFilter,
    limit: usize,
    after: Option<WorkflowId>,
) -> Result<Listed<WorkflowView>> {
    let wanted = statuses(filter.status.as_deref().unwrap_or(USUAL_STATUSES))?;
    let contains = filter.name_contains.unwrap_or_default().to_lowercase();
    let listed = state
        .store
        .list_workflows(place, limit, after, |row| {
            wanted.contains(&row.status()) && row.name.to_lowercase().contains(&contains)
        })
        .await?;
    let rows = listed.rows.into_iter().map(|row| WorkflowView::new(row, None, None)).collect();
    Ok(Listed { rows, next: listed.next })
}

/// The JSON Schema of a graph, generated from the types that parse it.
pub fn schema() -> &'static Value {
    &SCHEMA
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
