//! `DELETE /v1/workflows/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWrite, CommonErrors, Path};
use shared::services::workflows;
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};

/// Archive a workflow. Runs under way go on; new ones are refused until it is restored.
#[utoipa::path(delete, path = "/v1/workflows/{id}", tag = "workflows", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn archive_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
) -> Result<StatusCode> {
    workflows::archive(&state, &caller.place, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
