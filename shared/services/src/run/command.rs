//! Commands of callers of the API: starts that are waited for, and what is done to a run.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::control::{Control, control};
use super::reader::Reader;
use super::start::{Origin, StartCommand, StartParams, read_params, start};
use super::view::{RunControlled, RunStarted};
use crate::audit::Riding;
use crate::auth::Caller;
use crate::state::AppState;
use engine::StopMode;
use platform::boxed;
use types::ids::{Place, RunId, RunRef, WorkflowId};
use types::scope::Permission;
use types::{Error, Result};

/// What to do to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start nothing new until it is resumed.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Stop,
}

/// The `params` of `pause`, `resume` and `stop`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlParams {
    run_id: String,
    mode: Option<StopMode>,
}

/// Carries out an order, whose `params` name the run.
///
/// # Errors
/// Invalid, naming the parameter; not found when there is no such run of this workflow; conflict when its state does
/// not allow it.
#[boxed]
pub async fn command(
    state: &AppState,
    place: &Place,
    workflow_id: WorkflowId,
    order: Order,
    params: Map<String, Value>,
) -> Result<RunControlled> {
    let params: ControlParams = read_params(params)?;
    let run_id = params.run_id.parse().map_err(|why| Error::invalid(format!("params.run_id: {why}.")))?;
    let order = match order {
        Order::Pause => Control::Pause,
        Order::Resume => Control::Resume,
        Order::Stop => Control::Stop(params.mode.unwrap_or_default()),
    };
    let key = RunRef { place: place.clone(), run_id };
    let status = control(state, &key, workflow_id, order).await?;
    Ok(RunControlled { run_id, status, workflow_id })
}

/// Starts a run by the `params` of a caller, and waits until it is over, at most so long, when that is asked for.
/// `trace` is the start's entry of the audit trail, which is kept with the run.
///
/// # Errors
/// Invalid, naming the parameter; else those of [`start`].
#[boxed]
pub async fn start_and_wait(
    state: &AppState,
    caller: Caller,
    id: WorkflowId,
    params: Map<String, Value>,
    wait: Option<Duration>,
    trace: Option<Riding>,
) -> Result<RunStarted> {
    let mut params = StartParams::from_params(params)?;
    let without_mcp = !caller.may(Permission::McpExecute);
    let place = caller.place;
    // The id is chosen here so that waiting can begin before the run does and misses nothing.
    let run_id = *params.run_id.get_or_insert_with(|| RunId::new(state.clock.now()));
    let origin = Origin::Api { trace: trace.map(|trace| trace.made(run_id.to_string())) };
    let key = RunRef { place: place.clone(), run_id };
    let waiter = wait.map(|wait| (wait, state.watch.subscribe(&key)));
    let started = start(state, &place, id, StartCommand { params, origin, without_mcp }).await?;
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
