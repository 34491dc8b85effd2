//! `POST /v1/workflows/{id}/command`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::api::{Body, CanRun, CommonErrors, Path, Trail};
use shared::engine::{RunStatus, StopMode};
use shared::services::auth::Caller;
use shared::services::run::{Control, Reader, StartRequest, control, read_params, start};
use shared::types::clock::Timestamp;
use shared::types::ids::{Place, RunId, RunRef, WorkflowId};
use shared::types::scope::Permission;
use shared::{AppState, Error, Result};
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

/// The `params` of `pause`, `resume` and `stop`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlParams {
    run_id: String,
    mode: Option<StopMode>,
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

/// A run that a command was given to.
#[derive(Debug, Serialize, ToSchema)]
// It says so in the document, where it is told from a run that was started.
#[serde(deny_unknown_fields)]
pub struct RunControlled {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub(crate) run_id: RunId,
    /// Where it stands now.
    pub(crate) status: RunStatus,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    pub(crate) workflow_id: WorkflowId,
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

/// Start, pause, resume or stop a run.
///
/// With `Prefer: wait=N` (N ≤ 20 seconds) the answer to a start comes when the run is over, if it is over by
/// then. A command that has taken effect already is answered with the state; one that the state does not allow
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
    match body.command {
        CommandName::Start => {}
        CommandName::Pause => trail.begin(&state, "run.pause").await?,
        CommandName::Resume => trail.begin(&state, "run.resume").await?,
        CommandName::Stop => trail.begin(&state, "run.stop").await?,
    }
    match body.command {
        CommandName::Start => {
            started(&state, caller, id, &headers, (params, &trail)).await.map(Commanded::Started)
        }
        CommandName::Pause => controlled(&state, caller.place, id, params, |_| Control::Pause).await,
        CommandName::Resume => controlled(&state, caller.place, id, params, |_| Control::Resume).await,
        CommandName::Stop => {
            controlled(&state, caller.place, id, params, |mode| Control::Stop(mode.unwrap_or_default())).await
        }
    }
    .map(Json)
}

async fn controlled(
    state: &AppState,
    place: Place,
    workflow_id: WorkflowId,
    params: Map<String, Value>,
    command: fn(Option<StopMode>) -> Control,
) -> Result<Commanded> {
    let params: ControlParams = read_params(params)?;
    let run_id = params.run_id.parse().map_err(|why| Error::invalid(format!("params.run_id: {why}.")))?;
    let status = control(state, &RunRef { place, run_id }, workflow_id, command(params.mode)).await?;
    Ok(Commanded::Controlled(RunControlled { run_id, status, workflow_id }))
}

async fn started(
    state: &AppState,
    caller: Caller,
    id: WorkflowId,
    headers: &HeaderMap,
    (params, trail): (Map<String, Value>, &Trail),
) -> Result<RunStarted> {
    // Kept in the run's own write: a start has no time for two more.
    let trace = trail.ride(state, "run.start");
    let mut request = StartRequest::from_params(params)?;
    request.without_mcp = !caller.may(Permission::McpExecute);
    let place = caller.place;
    let wait = wait::from_prefer(headers);
    // The id is chosen here so that waiting can begin before the run does and misses nothing.
    let run_id = *request.run_id.get_or_insert_with(|| RunId::new(state.clock.now()));
    request.trace = trace.map(|trace| trace.made(run_id.to_string()));
    let key = RunRef { place: place.clone(), run_id };
    let waiter = wait.map(|wait| (wait, state.watch.subscribe(&key)));
    let started = start(state, &place, id, request).await?;
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
        let reader = Reader::when_started(state, &key, &mut waiter, wait).await?;
        answer.status = reader.run().status;
        if answer.status.is_terminal() {
            answer.outputs = Some(reader.outputs().await?);
        }
    }
    Ok(answer)
}
