//! `GET /v1/workflows/{id}`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::api::{CanRead, CommonErrors, Path};
use shared::services::workflows::{self, WorkflowView};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};

use crate::answer::answer;

/// Read a workflow with its draft.
#[utoipa::path(get, path = "/v1/workflows/{id}", tag = "workflows", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = WorkflowView), CommonErrors))]
pub async fn get_workflow(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path(id): Path<WorkflowId>,
) -> Result<Response> {
    let found = workflows::get(&state, &caller.place, id).await?;
    Ok(answer(StatusCode::OK, found))
}
