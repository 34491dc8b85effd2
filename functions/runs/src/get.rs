//! `GET /v1/workflows/{id}/runs/{run_id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{CanRead, CommonErrors, Path, Query};
use shared::services::run::{self, RunView};
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::{AppState, Result};
use utoipa::IntoParams;

use crate::wait;

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Answer when the run is over, or after so many seconds, at most 20.
    #[param(maximum = 20)]
    wait_s: Option<u64>,
}

/// Read a run with its steps and outputs.
#[utoipa::path(get, path = "/v1/workflows/{id}/runs/{run_id}", tag = "runs",
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path), RunQuery),
               responses((status = 200, body = RunView), CommonErrors))]
pub async fn get_run(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path((id, run_id)): Path<(WorkflowId, RunId)>,
    Query(query): Query<RunQuery>,
) -> Result<Json<RunView>> {
    let wait = wait::from_query(query.wait_s)?;
    let key = RunRef { place: caller.place, run_id };
    run::get(&state, &key, id, wait).await.map(Json)
}
