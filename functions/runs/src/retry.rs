//! `POST /v1/workflows/{id}/runs/{run_id}/retry`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanRun, CommonErrors, Path};
use shared::services::run::{self, Retry, RunControlled};
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::types::scope::Permission;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// Where to go on, and with what.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryBody {
    /// Execute this step, and all that depends on it, anew; without it the run goes on where it ended.
    #[serde(default)]
    from_step_id: Option<String>,
    /// Laid over the run's input, key by key at the top level, for the steps that are executed from now on; later retries
    /// keep it. With it the input must satisfy the version's `input_schema` and have at most 1 MiB.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    input: Option<Map<String, Value>>,
}

/// Let a failed or stopped run go on.
///
/// Steps that are settled keep their results. Attempts are numbered on, so that outside calls carry new keys. The
/// context shows the input as `input` changed it; the event `state_changed` names the keys.
#[utoipa::path(post, path = "/v1/workflows/{id}/runs/{run_id}/retry", tag = "runs", request_body = RetryBody,
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path)),
               responses((status = 200, body = RunControlled), CommonErrors))]
pub async fn retry_run(
    State(state): State<AppState>,
    CanRun(caller): CanRun,
    Path((workflow_id, run_id)): Path<(WorkflowId, RunId)>,
    Body(body): Body<RetryBody>,
) -> Result<Json<RunControlled>> {
    let how = Retry {
        from_step_id: body.from_step_id,
        input: body.input.unwrap_or_default(),
        without_mcp: !caller.may(Permission::McpExecute),
    };
    let key = RunRef { place: caller.place, run_id };
    run::retry(&state, &key, workflow_id, &how).await.map(Json)
}
