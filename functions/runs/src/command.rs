//! `POST /v1/workflows/{id}/command`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::clock::Timestamp;
use shared::http::{Body, CanRun, CommonErrors, Path};
use shared::ids::{RunId, RunRef, WorkflowId};
use shared::run::{Reader, RunStatus, StartRequest, start};
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::wait;

/// What to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandBody {
    /// Which command.
    command: CommandName,
    /// Of `start`: the input, or `trigger_payload` with the input and what else a start takes.
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
}

/// A run that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunStarted {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    run_id: RunId,
    /// Where it stands.
    status: RunStatus,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// The version it executes.
    version: u32,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// With `Prefer: wait`, when the run is over: the results of the steps that nothing depends on, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    outputs: Option<Map<String, Value>>,
}

/// Start a run.
///
/// With `Prefer: wait=N` (N ≤ 20 seconds) the answer comes when the run is over, if it is over by then.
#[utoipa::path(post, path = "/v1/workflows/{id}/command", tag = "runs", request_body = CommandBody,
               params(("id" = uuid::Uuid, Path), ("Prefer" = Option<String>, Header, example = "wait=10")),
               responses((status = 200, body = RunStarted), CommonErrors))]
pub async fn command(
    State(state): State<AppState>,
    CanRun(caller): CanRun,
    Path(id): Path<WorkflowId>,
    headers: HeaderMap,
    Body(body): Body<CommandBody>,
) -> Result<Json<RunStarted>> {
    match body.command {
        CommandName::Start => {
            let mut request = StartRequest::from_params(body.params)?;
            let wait = wait::from_prefer(&headers);
            // The id is chosen here so that waiting can begin before the run does and misses nothing.
            let run_id = *request.run_id.get_or_insert_with(|| RunId::new(state.clock.now()));
            let key = RunRef { place: caller.place.clone(), run_id };
            let waiter = wait.map(|wait| (wait, state.watch.subscribe(&key)));
            let started = start(&state, &caller.place, id, request).await?;
            let mut answer = RunStarted {
                run_id,
                status: started.status,
                workflow_id: id,
                version: started.version,
                started_at: started.started_at,
                outputs: None,
            };
            if let Some((wait, mut waiter)) = waiter {
                let wait = if started.status.is_terminal() { Duration::ZERO } else { wait };
                let reader = Reader::when_started(&state, &key, &mut waiter, wait).await?;
                answer.status = reader.run().status;
                if answer.status.is_terminal() {
                    answer.outputs = Some(reader.outputs().await?);
                }
            }
            Ok(Json(answer))
        }
    }
}
