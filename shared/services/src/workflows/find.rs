//! Workflows and their drafts, by id.

use serde_json::Value;

use crate::state::AppState;
use store::{StoreError, WorkflowRecord};
use types::ids::{Place, WorkflowId};
use types::{Error, Result};

/// How often a draft may be replaced while it is read.
const MOST_READS: usize = 5;

/// A workflow of this place.
///
/// # Errors
/// Not found when there is none; unavailable when the database does not answer.
pub(crate) async fn find(state: &AppState, place: &Place, id: WorkflowId) -> Result<WorkflowRecord> {
    state.store.workflow(place, id).await?.ok_or_else(|| Error::not_found("workflow"))
}

/// A workflow of this place with its draft. The row names the draft, and one that is replaced is gone: then
/// both are read again.
///
/// # Errors
/// As of [`find`]; overtaken when the draft is replaced every time.
pub(crate) async fn find_with_draft(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
) -> Result<(WorkflowRecord, Value)> {
    for _ in 0..MOST_READS {
        let record = find(state, place, id).await?;
        match state.store.draft(&record).await {
            Err(StoreError::Conflict) => {}
            draft => return Ok((record, draft?)),
        }
    }
    Err(StoreError::Conflict.into())
}
