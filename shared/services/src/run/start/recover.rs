//! Going on from a failed or stopped run in a new one: what of it is taken over.

use std::collections::BTreeSet;

use serde_json::Value;

use super::params::{Resume, StartParams};
use crate::run::reader::Reader;
use crate::state::AppState;
use engine::SkipReason;
use engine::{Recovery, Reused, RunStatus, StepState};
use types::error::ErrorCode;
use types::ids::{Place, RunRef, WorkflowId};
use types::json_text::JsonText;
use types::{Error, Result};
use workflow::{Plan, StepIx};

/// The results that one run takes over from another.
const MOST_TAKEN_OVER: usize = 32 * 1024 * 1024;

/// What a new run takes over from the one that it goes on from. Its input too, unless the parameters have one.
///
/// # Errors
/// Not found when there is no such run of this workflow; conflict when it neither failed nor was stopped;
/// invalid when the step to go on from is unknown or what comes before it cannot be taken over.
pub(super) async fn recover(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    plan: &Plan,
    resume: Resume,
    params: &mut StartParams,
) -> Result<Recovery> {
    let key = RunRef { place: place.clone(), run_id: resume.run_id };
    let other = Reader::load(state, &key, id).await?;
    if !matches!(other.run().status, RunStatus::Failed | RunStatus::Stopped) {
        return Err(Error::conflict(
            ErrorCode::RunNotRecoverable,
            format!(
                "params.resume_from_run_id: the run is {}; only failed or stopped runs can be gone on from.",
                other.run().status.as_str()
            ),
        ));
    }
    let from = match &resume.from_step_id {
        None => None,
        Some(from) => Some(plan.find_shown(from).ok_or_else(|| {
            Error::invalid(format!("params.from_step_id: the version has no step {from:?}."))
        })?),
    };
    let taken = reusable(plan, other.plan(), &other.run().steps, from);
    if let Some(from) = from
        && let Some(missing) = plan.ancestors(from).find(|step| !taken.contains(step))
    {
        return Err(Error::invalid(format!(
            "params.from_step_id: step {:?} comes before it, and was not settled in that run or is not the \
             same step in this version.",
            plan.step(missing).step.id
        )));
    }
    let mut reused = Vec::new();
    let mut bytes = 0;
    for &step in plan.order.iter().filter(|step| taken.contains(step)) {
        let Some(old) = other.plan().find(&plan.step(step).step.id) else { continue };
        let state = other.run().steps[old.index()].clone();
        let (result, input) = other.values(old).await?;
        let result = result.filter(|_| matches!(state, StepState::Completed { .. }));
        bytes += result.as_ref().map_or(0, JsonText::bytes);
        if bytes > MOST_TAKEN_OVER {
            return Err(Error::invalid(
                "params.resume_from_run_id: the results to take over are larger than 32 MiB; use \
                 POST …/runs/{run_id}/retry, which goes on in the same run.",
            ));
        }
        reused.push(Reused { step, state, input, result });
    }
    if params.input.is_empty() {
        let given = other.input().await?;
        if let Value::Object(input) = given.input.to_value() {
            params.input = input;
        }
        for (step, overlay) in given.trigger_steps {
            if plan.find(&step).is_some() {
                params.trigger_steps.entry(step).or_insert_with(|| overlay.to_value());
            }
        }
    }
    let user = &mut params.external_user_id;
    *user = user.take().or_else(|| other.run().external_user_id.clone());
    Ok(Recovery { run_id: resume.run_id, reused })
}

/// The steps that are settled for good, the same in both plans, and after nothing but such steps.
fn reusable(plan: &Plan, old: &Plan, states: &[StepState], from: Option<StepIx>) -> BTreeSet<StepIx> {
    let mut taken = BTreeSet::new();
    for &step in &plan.order {
        let planned = plan.step(step);
        let Some(before) = old.find(&planned.step.id) else { continue };
        let is_settled = match &states[before.index()] {
            StepState::Completed { .. } => true,
            StepState::Skipped { reason, .. } => *reason != SkipReason::Blocked,
            StepState::Failed { .. } => planned.step.continue_on_error,
            _ => false,
        };
        let is_same = planned.step == old.step(before).step;
        let is_wanted = from.is_none_or(|from| step != from && !planned.ancestors.contains(from));
        if is_settled && is_same && is_wanted && planned.depends_on.iter().all(|dep| taken.contains(dep)) {
            taken.insert(step);
        }
    }
    taken
}
