//! What a step needs before it begins: whether its gates let it, the fields that it is called with, and the
//! values that it may read.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::scope::Scopes;
use engine::{FailureCode, Machine, Outcome, RunInput, SkipReason, Slot, Wait};
use platform::memory::Turn;
use services::run::Session;
use services::step::{Attempt, Effect, NamedSteps, Script};
use types::Result;
use types::clock::Timestamp;
use types::ids::RunId;
use types::json_text::{JsonText, to_value};
use workflow::fields::Misfit;
use workflow::limits::{FOR_EACH_ITEMS_MAX, VALUES_MAX_COST};
use workflow::steps::Templated;
use workflow::template::{Condition, Path, UnresolvedCause, expand, paths_in};
use workflow::{Plan, Step, StepKind};

/// The most JSON that a person is shown with a task: it stands in the task's row.
const LARGEST_TASK: usize = 256 * 1024;
/// … and the most memory that it may take there: lists show a hundred tasks.
const MAX_TASK_COST: usize = 4 * 1024 * 1024;

/// How a step begins.
pub(crate) enum Start {
    /// It does not: it is skipped.
    Skip(SkipReason),
    /// With an end that needs no executor.
    Settled(Outcome),
    /// As a script, once it is begun.
    Script,
    /// As a call of the outside, once that it is begun is written.
    Call(Call),
    /// By waiting.
    Await(Wait, JsonText),
    /// As a loop of so many rounds.
    Open(u32, JsonText),
}

/// A call of the outside that is to be made. Until it is made its fields stay text.
pub(crate) struct Call {
    plan: Arc<Plan>,
    slot: Slot,
    /// What it is called with.
    pub(crate) input: JsonText,
    run: Arc<RunInput>,
}

impl Call {
    /// The bytes of memory that its fields take while it is made.
    pub(crate) fn cost(&self) -> usize {
        self.input.cost()
    }

    /// What is called.
    ///
    /// # Errors
    /// The failure that it is instead.
    pub(crate) fn effect(self) -> Result<Effect, Outcome> {
        let unreadable =
            || Outcome::failure(FailureCode::DependencyUnavailable, "The step's fields cannot be read.");
        let Value::Object(fields) = self.input.to_value() else { return Err(unreadable()) };
        let kind =
            step_at(&self.plan, self.slot).kind.with_fields(fields).map_err(|misfit| misfits(&misfit))?;
        Effect::of(&kind, &self.run).unwrap_or_else(|| Err(unreadable()))
    }
}

/// The step at a place: of the graph, or in a loop's body.
fn step_at(plan: &Plan, slot: Slot) -> &Step {
    let planned = plan.step(slot.step);
    let body = planned.body.as_ref().zip(slot.inner);
    let inner = body.and_then(|(body, inner)| body.steps.get(usize::from(inner.place)));
    inner.map_or(&planned.step, |inner| &inner.step)
}

fn misfits(misfit: &Misfit) -> Outcome {
    Outcome::failure(FailureCode::TemplateUnresolved, format!("{misfit}."))
}

/// Decides how a step begins.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of step")]
pub(crate) async fn start(session: &mut Session, scopes: &mut Scopes, slot: Slot) -> Result<Start> {
    if session.machine().is_condition(slot) {
        return condition(session, scopes, slot).await;
    }
    let plan = Arc::clone(session.machine().plan());
    let planned = plan.step(slot.step);
    let (step, condition, skip_when) = match slot.inner.zip(planned.body.as_ref()) {
        None => (&planned.step, &planned.condition, &planned.skip_when),
        Some((inner, body)) => {
            let inner = &body.steps[usize::from(inner.place)];
            (&inner.step, &inner.condition, &inner.skip_when)
        }
    };
    if let Some(condition) = condition {
        match holds(session, scopes, slot, ("condition", condition)).await? {
            Ok(true) => {}
            Ok(false) => return Ok(Start::Skip(SkipReason::ConditionFalse)),
            Err(failed) => return Ok(Start::Settled(failed)),
        }
    }
    if let Some(skip_when) = skip_when {
        match holds(session, scopes, slot, ("skip_when", skip_when)).await? {
            Ok(false) => {}
            Ok(true) => return Ok(Start::Skip(SkipReason::SkipWhen)),
            Err(failed) => return Ok(Start::Settled(failed)),
        }
    }
    if let StepKind::LuaScript(_) = &step.kind {
        return Ok(Start::Script);
    }
    let (kind, _turn) = match called_with(session, scopes, slot, step).await? {
        Ok(called) => called,
        Err(failed) => return Ok(Start::Settled(failed)),
    };
    let input = kind.template_text();
    match Effect::of(&kind, scopes.run_input()) {
        Some(Ok(_)) => {
            let run = Arc::clone(scopes.run_input());
            return Ok(Start::Call(Call { plan: Arc::clone(&plan), slot, input, run }));
        }
        Some(Err(failed)) => return Ok(Start::Settled(failed)),
        None => {}
    }
    Ok(match &kind {
        StepKind::HumanTask(_) if input.bytes() > LARGEST_TASK || input.cost() > MAX_TASK_COST => {
            let error = format!(
                "task_payload: {} bytes of JSON; at most {LARGEST_TASK} ({} KiB) are shown to a person, and fewer when they \
                 are many small values. Show less: the fields that the person decides by, and links to the rest.",
                input.bytes(),
                LARGEST_TASK / 1024
            );
            Start::Settled(Outcome::failure(FailureCode::HumanTaskFailed, error))
        }
        StepKind::HumanTask(_) => Start::Await(Wait::Person, input),
        StepKind::WorkflowCall(_) => Start::Await(Wait::Child(RunId::new(scopes.now())), input),
        StepKind::ForEach(each) => items(each.for_each_items.as_ref(), input),
        StepKind::While(kind) => Start::Open(kind.while_max_iterations.unwrap_or(1), input),
        StepKind::LuaScript(_) | StepKind::LlmCall(_) | StepKind::McpCall(_) | StepKind::AgentCall(_) => {
            // Publishing refuses step types that this version cannot execute.
            let error = format!("This version cannot execute steps of type {}.", kind.type_name());
            Start::Settled(Outcome::failure(FailureCode::DependencyUnavailable, error))
        }
    })
}

fn items(items: Option<&Templated<Vec<Value>>>, input: JsonText) -> Start {
    let count = match items {
        Some(Templated::Value(items)) => items.len(),
        _ => 0,
    };
    if count > FOR_EACH_ITEMS_MAX {
        let error = format!("for_each_items: {count} items; at most {FOR_EACH_ITEMS_MAX} are allowed.");
        return Start::Settled(Outcome::failure(FailureCode::ForEachFailed, error));
    }
    Start::Open(u32::try_from(count).unwrap_or(u32::MAX), input)
}

/// The step with its fields expanded, or the failure that this is.
async fn called_with(
    session: &mut Session,
    scopes: &mut Scopes,
    slot: Slot,
    step: &Step,
) -> Result<Result<(StepKind, Turn), Outcome>> {
    let fields = Value::Object(step.kind.template_fields());
    // Validation has refused what does not parse; expansion would say where.
    let expressions = paths_in(&fields).unwrap_or_default();
    let paths: Vec<&Path> = expressions.iter().flat_map(|(_, expression)| &expression.paths).collect();
    let found = match scopes.found(session, slot, &paths).await? {
        Ok(found) => found,
        Err(too_much) => return Ok(Err(too_much)),
    };
    // Large values of several runs are put together one after the other.
    let turn = session.memory().turn(found.cost()).await;
    let expanded = expand(&fields, &found);
    if found.is_spent() {
        return Ok(Err(takes_too_much(session.machine().step_id(slot))));
    }
    Ok(match expanded {
        Ok(Value::Object(expanded)) => {
            step.kind.with_fields(expanded).map(|kind| (kind, turn)).map_err(|misfit| misfits(&misfit))
        }
        Ok(_) => {
            step.kind.with_fields(Map::new()).map(|kind| (kind, turn)).map_err(|misfit| misfits(&misfit))
        }
        Err(unresolved) => {
            let code = match unresolved.cause {
                UnresolvedCause::TooLarge => FailureCode::ResultTooLarge,
                UnresolvedCause::Unset | UnresolvedCause::Malformed(_) => FailureCode::TemplateUnresolved,
            };
            Err(Outcome::failure(code, format!("{unresolved}.")))
        }
    })
}

/// The failure of a step whose templates name values that take too much memory.
fn takes_too_much(step: &str) -> Outcome {
    let error = format!(
        "step {step:?}: the values that its templates name take more than {} MiB of memory, because they consist of very many \
         small ones. Refer to less: a field, or a text that a lua_script makes of them with json.encode.",
        VALUES_MAX_COST / 1024 / 1024
    );
    Outcome::failure(FailureCode::StepInputTooLarge, error)
}

/// How the condition of a `while` is looked at: the script, when there is one, wins.
async fn condition(session: &mut Session, scopes: &mut Scopes, slot: Slot) -> Result<Start> {
    let plan = Arc::clone(session.machine().plan());
    let planned = plan.step(slot.step);
    let StepKind::While(kind) = &planned.step.kind else { return Ok(Start::Script) };
    let template = planned.body.as_ref().and_then(|body| body.while_condition.as_ref());
    match (&kind.while_eval_script, template) {
        (None, Some(condition)) => {
            let pass = holds(session, scopes, slot, ("while_condition", condition)).await?;
            Ok(Start::Settled(match pass {
                Ok(pass) => Outcome::success(json!({ "pass": pass })),
                Err(failed) => failed,
            }))
        }
        _ => Ok(Start::Script),
    }
}

/// Whether a field's condition holds, or the failure that it is when it orders what is in no order.
async fn holds(
    session: &mut Session,
    scopes: &mut Scopes,
    slot: Slot,
    (field, condition): (&str, &Condition),
) -> Result<Result<bool, Outcome>> {
    let paths: Vec<&Path> = condition.paths().collect();
    let found = match scopes.found(session, slot, &paths).await? {
        Ok(found) => found,
        Err(too_much) => return Ok(Err(too_much)),
    };
    let _turn = session.memory().turn(found.cost()).await;
    let holds = condition.eval(&found);
    if found.is_spent() {
        return Ok(Err(takes_too_much(session.machine().step_id(slot))));
    }
    Ok(holds.map_err(|unordered| {
        Outcome::failure(FailureCode::TemplateUnresolved, format!("{field}: {unordered}."))
    }))
}

/// The attempt that is under way at a step.
pub(crate) fn attempt(machine: &Machine, slot: Slot, now: Timestamp) -> Option<Attempt> {
    let run = machine.run();
    Some(Attempt {
        place: run.key.place.clone(),
        workflow_id: run.workflow_id,
        run_id: run.key.run_id,
        key: machine.attempt_key(slot)?,
        timeout: machine.time_for(slot, now),
    })
}

/// A script that was begun, with what it reads; or the failure that this is too much.
pub(crate) async fn script(
    session: &mut Session,
    scopes: &mut Scopes,
    slot: Slot,
) -> Result<Result<Script, Outcome>> {
    let plan = Arc::clone(session.machine().plan());
    let planned = plan.step(slot.step);
    let body = planned.body.as_ref().zip(slot.inner);
    let inner = body.and_then(|(body, inner)| body.steps.get(usize::from(inner.place)));
    let step = inner.map_or(&planned.step, |inner| &inner.step);
    let source = match (&step.kind, inner) {
        (StepKind::LuaScript(lua), _) => lua.script.as_str(),
        (StepKind::While(kind), None) => {
            kind.while_eval_script.as_deref().unwrap_or("return { pass = true }")
        }
        _ => "",
    };
    let named = NamedSteps::by_script(source);
    let timeout = session.machine().time_for(slot, scopes.now());
    let scope = scopes.of(session, slot, &named).await?;
    Ok(scope.map(|scope| Script::new(step.id.clone(), source.to_owned(), scope, timeout)))
}

/// What a `while_eval_script` has decided.
pub(crate) fn decided(outcome: Outcome) -> Outcome {
    let Outcome::Success { result, .. } = &outcome else { return outcome };
    let pass = match (result.at(&["pass"]).map(RawValue::get), result.at(&["result"])) {
        (Some("true"), _) => true,
        (Some("false"), _) => false,
        (None, Some(result)) => is_truthy(result),
        _ => {
            let error = "while_eval_script must return { pass = true } or { pass = false }.";
            return Outcome::failure(FailureCode::LuaReturnType, error);
        }
    };
    Outcome::success(json!({ "pass": pass }))
}

/// The truth of a value that may be large: then it is neither a number nor a word.
fn is_truthy(value: &RawValue) -> bool {
    const LONGEST_FALSE: usize = 64;
    match value.get().as_bytes().first() {
        Some(b'{' | b'[') => !matches!(value.get(), "{}" | "[]"),
        _ if value.get().len() > LONGEST_FALSE => true,
        _ => workflow::template::truthy(&to_value(value)),
    }
}
