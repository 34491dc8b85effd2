//! `POST /v1/workflows/{id}/restore`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::api::{CanWrite, CommonErrors, Path};
use shared::store::{Draft, ToolChange};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};

use crate::tools::exposed;
use crate::view::{WorkflowView, find_with_draft};

/// Undo the archiving of a workflow. One that is not archived stays as it is.
#[utoipa::path(post, path = "/v1/workflows/{id}/restore", tag = "workflows", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = WorkflowView), CommonErrors))]
pub async fn restore_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
) -> Result<Response> {
    let (mut record, graph) = find_with_draft(&state, &caller.place, id).await?;
    if record.archived {
        record.archived = false;
        record.updated_at = state.clock.now();
        state.store.save_workflow(&mut record, Draft::Kept, ToolChange::Kept).await?;
    }
    let tool = exposed(&state, &record).await?;
    Ok(WorkflowView::new(record, Some(graph), tool).answer(StatusCode::OK))
}
