//! `POST /v1/workflows/{id}/restore`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::api::{CanWrite, CommonErrors, Path};
use shared::services::workflows::{self, WorkflowView};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};

use crate::answer::answer;

/// Undo the archiving of a workflow. One that is not archived stays as it is.
#[utoipa::path(post, path = "/v1/workflows/{id}/restore", tag = "workflows", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = WorkflowView), CommonErrors))]
pub async fn restore_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
) -> Result<Response> {
    let restored = workflows::restore(&state, &caller.place, id).await?;
    Ok(answer(StatusCode::OK, restored))
}
