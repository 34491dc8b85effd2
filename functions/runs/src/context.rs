//! `GET /v1/workflows/{id}/runs/{run_id}/context`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{CanRead, CommonErrors, Path, Query};
use shared::services::run::{self, ContextView};
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::{AppState, Result};
use utoipa::IntoParams;

/// Which steps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContextQuery {
    /// This step only; all of them when absent. An inner step's id, as events give it, stands for its loop.
    step_id: Option<String>,
}

/// Read a run's input and what its steps made of it.
#[utoipa::path(get, path = "/v1/workflows/{id}/runs/{run_id}/context", tag = "runs",
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path), ContextQuery),
               responses((status = 200, body = ContextView), CommonErrors))]
pub async fn run_context(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path((id, run_id)): Path<(WorkflowId, RunId)>,
    Query(query): Query<ContextQuery>,
) -> Result<Json<ContextView>> {
    let key = RunRef { place: caller.place, run_id };
    run::context(&state, &key, id, query.step_id.as_deref()).await.map(Json)
}
