//! `GET /v1/workflows/{id}/graph-dry-runs`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use shared::api::{CanRead, CommonErrors, Path, Query};
use shared::services::workflows::{self, Validation};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::IntoParams;

/// Which graph.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// `graph_hash` of a validation or a version; the saved draft's when absent.
    graph_hash: Option<String>,
}

/// Read the last validation of a graph of this workflow.
///
/// It is kept for a month, whichever graph the workflow has by then.
#[utoipa::path(get, path = "/v1/workflows/{id}/graph-dry-runs", tag = "workflows",
               params(("id" = uuid::Uuid, Path), DryRunQuery),
               responses((status = 200, body = Validation), CommonErrors))]
pub async fn graph_dry_run(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path(id): Path<WorkflowId>,
    Query(query): Query<DryRunQuery>,
) -> Result<Json<Value>> {
    Ok(Json(workflows::last_validation(&state, &caller.place, id, query.graph_hash).await?))
}
