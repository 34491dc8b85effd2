//! `POST /v1/workflows/{id}/validate` and `POST /v1/workflows/validate`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::services::workflows::{self, Validation, ValidationRequest};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to check. Fields that are not known are warned of.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Validate {
    /// The graph; the saved draft when absent. What is no graph at all is answered with what is wrong with it.
    #[schema(value_type = Option<Value>)]
    graph: Option<Value>,
    /// What a run would be started with: the `params` of a start when `trigger_payload` (or `trigger_steps`) stands
    /// inside, else the input itself. An object, or the check of the input says so.
    #[schema(value_type = Option<Value>)]
    params: Option<Value>,
    /// The same as `params`.
    #[schema(value_type = Option<Value>)]
    payload: Option<Value>,
    /// Outputs by step id: scripts that read only these are run.
    #[schema(value_type = Option<Object>)]
    mock_step_outputs: Option<Map<String, Value>>,
    /// The checks to make, instead of all of them.
    #[schema(example = json!(["graph", "dependencies"]))]
    checks: Option<Vec<String>>,
    /// Checks not to make.
    skip_checks: Option<Vec<String>>,
    /// Tell only what concerns these steps, a loop's inner ones included, and the graph as a whole.
    step_ids: Option<Vec<String>>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Map<String, Value>,
}

impl From<Validate> for ValidationRequest {
    fn from(body: Validate) -> Self {
        Self {
            graph: body.graph,
            params: body.params,
            payload: body.payload,
            mock_step_outputs: body.mock_step_outputs,
            checks: body.checks.unwrap_or_default(),
            skip_checks: body.skip_checks.unwrap_or_default(),
            step_ids: body.step_ids.unwrap_or_default(),
            unknown: body.unknown,
        }
    }
}

/// Check a workflow's draft, or a graph given here, without running it.
///
/// The answer is kept for a month under the graph's hash.
#[utoipa::path(post, path = "/v1/workflows/{id}/validate", tag = "workflows", request_body = Validate,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = Validation), CommonErrors))]
pub async fn validate_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
    Body(body): Body<Validate>,
) -> Result<Json<Value>> {
    Ok(Json(workflows::validate(&state, &caller.place, id, body.into()).await?))
}

/// Check a graph that is not saved, without running it.
#[utoipa::path(post, path = "/v1/workflows/validate", tag = "workflows", request_body = Validate,
               responses((status = 200, body = Validation), CommonErrors))]
pub async fn validate_graph(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Body(body): Body<Validate>,
) -> Result<Json<Value>> {
    Ok(Json(workflows::validate_graph(&state, &caller.place, body.into()).await?))
}
