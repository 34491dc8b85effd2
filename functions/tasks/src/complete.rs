//! `POST /v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::api::{Body, CanRun, CommonErrors, Path};
use shared::services::tasks;
use shared::types::ids::{RunId, WorkflowId};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// An answer to a human task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// Yes or no. Of the review of a failed item: try it again, or leave it out.
    approved: bool,
    /// More, for the step's result, where `approved` stands beside it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    result: Option<Map<String, Value>>,
    /// For the run's history.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    notes: Option<String>,
}

/// A human task that was answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Completed {
    /// `completed`.
    status: &'static str,
    /// The task.
    task_id: String,
    /// The answer.
    approved: bool,
}

/// Answer a human task.
///
/// A task is answered once: a second answer is refused with 409.
#[utoipa::path(post, path = "/v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete", tag = "tasks",
               request_body = Completion,
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path), ("task_id" = String, Path)),
               responses((status = 200, body = Completed), CommonErrors))]
pub async fn complete(
    State(state): State<AppState>,
    CanRun(caller): CanRun,
    Path((workflow_id, run_id, task_id)): Path<(WorkflowId, RunId, String)>,
    Body(body): Body<Completion>,
) -> Result<Json<Completed>> {
    let Completion { approved, result, notes } = body;
    let completion = tasks::Completion { approved, result: result.unwrap_or_default(), notes };
    tasks::complete(&state, &caller, workflow_id, run_id, &task_id, completion).await?;
    Ok(Json(Completed { status: "completed", task_id, approved }))
}
