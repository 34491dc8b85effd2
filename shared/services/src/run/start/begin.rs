//! The one way into a run, for all who start one.

use serde_json::{Map, Value};

use super::checks::{check_steps, check_tools, version_to_run};
use super::keep::{Started, keep, started_before};
use super::origin::StartCommand;
use super::params::StartParams;
use super::recover::recover;
use crate::billing::no_credits;
use crate::mcp::bind::bind;
use crate::quotas::{check_live_runs, max_live_runs};
use crate::state::AppState;
use billing::{Action, Metering};
use engine::binding::Bindings;
use engine::{Machine, NewRun, RunInput};
use platform::boxed;
use store::WorkflowRecord;
use types::ids::{Place, RunId, RunRef, WorkflowId};
use types::{Error, Result};
use workflow::Plan;
use workflow::input::fill_defaults_and_check;

/// Starts a run of a workflow. When this returns a run, the run will be carried out whatever crashes.
///
/// # Errors
/// Not found; too many while the workspace has as many live runs as it may; conflict when nothing is published, the workflow is archived, or the id belongs to another
/// workflow's run; payment required when no credits are left; invalid when the input does not satisfy the graph's
/// schema or a step id is unknown. Conflict `CONFLICT` when the delivery's receipt is known already, or is just being
/// kept.
#[boxed]
pub async fn start(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    command: StartCommand,
) -> Result<Started> {
    let StartCommand { params, origin, without_mcp } = command;
    let run_id = origin.run_id(&params);
    let enforced = state.config.metering == Metering::Enforced;
    let is_child = origin.parent().is_some();
    let is_known = state.live_runs.known(place, max_live_runs(state, is_child), state.clock.now()).is_some();
    let before = state.store.before_start(place, id, (enforced, !is_known)).await?;
    let (account, used) = (before.account, before.used);
    let record = before.workflow.ok_or_else(|| Error::not_found("workflow"))?;
    let version = match version_to_run(&record, params.version) {
        Ok(version) => version,
        Err(refusal) => return started_before(state, place, id, run_id, refusal).await,
    };
    let mut params = with_defaults(state, &record, version, params).await?;
    let plan = state.plans.get(&state.store, place, id, version).await?;
    check_steps(&plan, &params)?;
    check_tools(&plan, without_mcp)?;
    let recovery = match params.resume.take() {
        Some(resume) => Some(recover(state, place, id, &plan, resume, &mut params).await?),
        None => None,
    };
    let input = checked(&plan, std::mem::take(&mut params.input))?;
    let none = Bindings::new();
    let inherited = origin.inherited().unwrap_or(&none);
    let mcp = match bind(state, place, id, &plan, inherited).await {
        Ok(mcp) => mcp,
        Err(refusal) => return started_before(state, place, id, run_id, refusal).await,
    };
    let now = state.clock.now();
    if enforced && account.balance(used, now).total().is_zero() {
        return started_before(state, place, id, run_id, no_credits()).await;
    }
    if let Err(refusal) = check_live_runs(state, place, is_child, before.live_runs).await {
        return started_before(state, place, id, run_id, refusal).await;
    }
    let new = NewRun {
        key: RunRef { place: place.clone(), run_id: run_id.unwrap_or_else(|| RunId::new(now)) },
        workflow_id: id,
        version,
        trigger_type: origin.trigger_type(&params),
        external_user_id: params.external_user_id,
        granted: params.trigger_steps.keys().cloned().collect(),
        excluded: params.excluded_step_ids,
        parent: origin.parent().cloned(),
        without_mcp,
        price: account.price(Action::StepExecute),
        recovery,
    };
    let (machine, mut pages) = Machine::start(plan, new, now);
    pages.push(machine.page().clone());
    let trigger_steps = params.trigger_steps.into_iter().map(|(step, overlay)| (step, overlay.into()));
    let input = RunInput { input: input.into(), trigger_steps: trigger_steps.collect(), mcp };
    let beside = (origin.receipt(), origin.trace());
    keep(state, machine, &pages, &input, beside).await
}

/// The input with the defaults of the graph's schema, which it satisfies.
fn checked(plan: &Plan, input: Map<String, Value>) -> Result<Value> {
    fill_defaults_and_check(plan.input_schema.as_ref(), Value::Object(input)).map_err(|issues| {
        let first = issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
        Error::invalid(format!("The input does not satisfy the workflow's input_schema: {first}"))
            .with_issues(issues)
    })
}

async fn with_defaults(
    state: &AppState,
    record: &WorkflowRecord,
    version: u32,
    params: StartParams,
) -> Result<StartParams> {
    if !params.use_run_setup_defaults {
        return Ok(params);
    }
    let version = state.store.version(&record.place, record.id, version).await?;
    match version.and_then(|version| version.run_setup) {
        Some(setup) => params.over_saved(&setup),
        None => Ok(params),
    }
}
