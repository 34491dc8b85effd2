//! `DELETE /v1/workflows/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWrite, CommonErrors, Path};
use shared::store::{Draft, ToolChange};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};

use crate::view::find;

/// Archive a workflow. Runs under way go on; new ones are refused until it is restored.
#[utoipa::path(delete, path = "/v1/workflows/{id}", tag = "workflows", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn archive_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
) -> Result<StatusCode> {
    let mut record = find(&state, &caller.place, id).await?;
    if !record.archived {
        record.archived = true;
        record.updated_at = state.clock.now();
        state.store.save_workflow(&mut record, Draft::Kept, ToolChange::Kept).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
