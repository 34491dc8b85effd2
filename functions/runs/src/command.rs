//! `POST /v1/workflows/{id}/command`.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::api::{Body, CanRun, CommonErrors, Path, Trail};
use shared::services::run::{self, Order, RunControlled, RunStarted};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::wait;

/// What to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandBody {
    /// Which command.
    command: CommandName,
    /// Of `start`: the input, or `trigger_payload` with the input and what else a start takes. Of the others:
    /// `run_id`, and for `stop` the `mode`: `immediate` (default) or `graceful`.
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

/// The commands.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandName {
    /// Start a run of a published version.
    Start,
    /// Start nothing new in a run until it is resumed.
    Pause,
    /// Let a paused run go on.
    Resume,
    /// End a run.
    Stop,
}

/// What came of a command.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Commanded {
    /// A run was started.
    Started(RunStarted),
    /// A run was paused, resumed or stopped.
    Controlled(RunControlled),
}

/// Start, pause, resume or stop a run.
///
/// With `Prefer: wait=N` (N ≤ 20 seconds) the answer to a start comes when the run is over, if it is over by
/// then. While the workspace has as many live runs as it may, a start is refused with 429 `TENANT_RUN_LIMIT`. A command that
/// has taken effect already is answered with the state; one that the state does not allow
/// is refused with 409.
#[utoipa::path(post, path = "/v1/workflows/{id}/command", tag = "runs", request_body = CommandBody,
               params(("id" = uuid::Uuid, Path), ("Prefer" = Option<String>, Header, example = "wait=10")),
               responses((status = 200, body = Commanded), CommonErrors))]
pub async fn command(
    State(state): State<AppState>,
    CanRun(caller): CanRun,
    Path(id): Path<WorkflowId>,
    headers: HeaderMap,
    trail: Trail,
    Body(body): Body<CommandBody>,
) -> Result<Json<Commanded>> {
    let params = body.params;
    let (order, action) = match body.command {
        CommandName::Start => {
            // Kept in the run's own write: a start has no time for two more.
            let trace = trail.ride(&state, "run.start");
            let wait = wait::from_prefer(&headers);
            let started = run::start_and_wait(&state, caller, id, params, wait, Some(trace)).await?;
            return Ok(Json(Commanded::Started(started)));
        }
        CommandName::Pause => (Order::Pause, "run.pause"),
        CommandName::Resume => (Order::Resume, "run.resume"),
        CommandName::Stop => (Order::Stop, "run.stop"),
    };
    trail.begin(&state, action).await?;
    run::command(&state, &caller.place, id, order, params).await.map(Commanded::Controlled).map(Json)
}
