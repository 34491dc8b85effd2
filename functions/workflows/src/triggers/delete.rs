//! `DELETE /v1/workflows/{id}/triggers/{trigger_id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWrite, CommonErrors, Path};
use shared::services::triggers;
use shared::types::ids::{TriggerId, WorkflowId};
use shared::{AppState, Result};

/// Delete a trigger. Runs that it started go on.
#[utoipa::path(delete, path = "/v1/workflows/{id}/triggers/{trigger_id}", tag = "workflows",
               params(("id" = uuid::Uuid, Path), ("trigger_id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_trigger(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path((workflow_id, trigger_id)): Path<(WorkflowId, TriggerId)>,
) -> Result<StatusCode> {
    triggers::delete(&state, &caller.place, workflow_id, trigger_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
