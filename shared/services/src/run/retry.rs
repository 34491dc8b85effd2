//! A failed or stopped run goes on, if wished with another input for the steps that are executed from then on.

use serde_json::{Map, Value};

use engine::{Command, Refusal, RunInput, RunStatus};
use platform::boxed;
use types::ids::{RunRef, WorkflowId};
use types::issue::Issue;
use types::{Error, Result};
use workflow::StepIx;
use workflow::input::fill_defaults_and_check;

use super::control::{load, wake, wrong_state};
use super::session::Session;
use super::start::check_tools;
use super::view::RunControlled;
use crate::billing;
use crate::quotas::check_live_runs;
use crate::state::AppState;
use workflow::limits::INPUT_MAX_BYTES;

/// How often a retry is made anew for a run that somebody else has changed meanwhile.
const MOST_OVERTAKEN: u32 = 8;

/// How a run is to go on.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    /// Execute this step, and all that depends on it, anew; else the run goes on where it ended.
    pub from_step_id: Option<String>,
    /// Laid over the run's input, key by key at the top level.
    pub input: Map<String, Value>,
    /// Whoever asks may not have tools called.
    pub without_mcp: bool,
}

/// Lets a failed or stopped run go on, from the named step or from where it ended, and returns where it stands then.
///
/// # Errors
/// Not found when there is no such run of this workflow; forbidden when it calls tools and whoever asks may not;
/// conflict unless it failed or was stopped; payment required when no credits are left; too many while the workspace has as
/// many live runs as it may; invalid when the step is
/// unknown or was not reached, or the input does not satisfy the version's schema or is too large.
#[boxed]
pub async fn retry(
    state: &AppState,
    key: &RunRef,
    workflow_id: WorkflowId,
    retry: &Retry,
) -> Result<RunControlled> {
    for _ in 0..MOST_OVERTAKEN {
        let mut session = load(state, key, workflow_id).await?;
        match attempt(state, &mut session, retry).await? {
            Ok(()) => {
                wake(state, &session).await;
                return Ok(RunControlled::new(session.machine().run()));
            }
            Err(Refusal::Overtaken) => {}
            Err(Refusal::NotReached) => {
                return Err(Error::invalid(
                    "from_step_id: a step before it is not settled, so that the run has to go on from there.",
                ));
            }
            Err(_) => return Err(wrong_state(session.machine(), RULE)),
        }
    }
    Err(Error::unavailable("The run", "somebody else changed it every time"))
}

const RULE: &str = "only failed or stopped runs can be retried";

async fn attempt(
    state: &AppState,
    session: &mut Session,
    retry: &Retry,
) -> Result<std::result::Result<(), Refusal>> {
    check_tools(session.machine().plan(), retry.without_mcp)?;
    let from = retry.from_step_id.as_deref().map(|id| step(session, id)).transpose()?;
    let status = session.machine().run().status;
    if !matches!(status, RunStatus::Failed | RunStatus::Stopped) {
        return Err(wrong_state(session.machine(), RULE));
    }
    let input = match retry.input.is_empty() {
        true => None,
        false => Some(overlaid(session, &retry.input).await?),
    };
    let run = session.machine().run();
    billing::check(state, &run.key.place.tenant_id).await?;
    let live = state.store.live_runs(&run.key.place).await?.values().sum::<i64>();
    let live = u64::try_from(live).unwrap_or(0);
    check_live_runs(state, &run.key.place, run.parent.is_some(), Some(live)).await?;
    let input_keys = retry.input.keys().cloned().collect();
    let command = Command::Retry { from, without_mcp: retry.without_mcp, input_keys };
    session.perform_with(command, input).await
}

fn step(session: &Session, id: &str) -> Result<StepIx> {
    let unknown = || Error::invalid(format!("from_step_id: the run's version has no step {id:?}."));
    session.machine().plan().find_shown(id).ok_or_else(unknown)
}

/// The run's input with this laid over it.
async fn overlaid(session: &Session, overlay: &Map<String, Value>) -> Result<RunInput> {
    let mut run = session.input().await?;
    let mut input = run.input.to_value();
    match &mut input {
        Value::Object(input) => input.extend(overlay.clone()),
        other => *other = Value::Object(overlay.clone()),
    }
    let schema = session.machine().plan().input_schema.as_ref();
    run.input = fill_defaults_and_check(schema, input).map_err(refused)?.into();
    // As much as a start may bring.
    let length = run.input.bytes();
    if length > INPUT_MAX_BYTES {
        return Err(Error::invalid(format!(
            "input: laid over the run's input it takes {length} bytes of JSON; at most {INPUT_MAX_BYTES} are allowed. \
             Start a new run, or send less."
        )));
    }
    Ok(run)
}

fn refused(issues: Vec<Issue>) -> Error {
    let first = issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
    Error::invalid(format!(
        "input: laid over the run's input it does not satisfy the workflow's input_schema: {first}"
    ))
    .with_issues(issues)
}
