//! `GET /v1/workflows/{id}/runs/{run_id}/summary`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanRead, CommonErrors, Path};
use shared::services::run::{self, RunSummary};
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::{AppState, Result};

/// Read a run in short.
#[utoipa::path(get, path = "/v1/workflows/{id}/runs/{run_id}/summary", tag = "runs",
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path)),
               responses((status = 200, body = RunSummary), CommonErrors))]
pub async fn run_summary(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path((id, run_id)): Path<(WorkflowId, RunId)>,
) -> Result<Json<RunSummary>> {
    let key = RunRef { place: caller.place, run_id };
    run::summary(&state, &key, id).await.map(Json)
}
