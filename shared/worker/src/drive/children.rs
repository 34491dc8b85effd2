//! `workflow_call`: starting child runs, and what becomes of a step when its child has ended.
//!
//! A step waits for its child before the child exists: its id stands in the parent's row, and the child can
//! only be made while it does. So a stopped parent never leaves a child behind that nobody knows, and a child
//! whose making was interrupted is made by whoever looks next.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use engine::{Command, FailureCode, Outcome, Parent, RunStatus, Slot, StepFailure, StopMode};
use platform::queue::Wake;
use services::run::{Origin, Reader, Session, StartCommand, StartParams, room_for_descendants, start};
use services::state::AppState;
use types::error::Kind;
use types::ids::{RunId, RunRef, WorkflowId};
use types::json_text::{JsonText, to_value};
use types::quotas::Quota;
use types::retry::Backoff;
use types::{Error, Result};
use workflow::StepKind;
use workflow::limits::{CALL_DEPTH_MAX, RESULT_MAX_BYTES};
use workflow::steps::WorkflowCall;

/// How often the start of a child meets a commit of its parent before the message is tried again.
const MOST_CONFLICTS: u32 = 8;
/// How many children are stopped at a time: each is a read and a write, and there may be hundreds.
const STOPS_AT_ONCE: usize = 16;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(1280));

/// Starts the children that steps wait for, unless they exist, and settles the steps that have nothing to wait for: the
/// child is refused, or the step goes on without it. Before any is started all are counted as descendants of the root,
/// with one write; after a crash they are counted again.
pub(crate) async fn call(
    state: &AppState,
    session: &mut Session,
    children: Vec<(Slot, RunId)>,
) -> Result<()> {
    let mut requests = Vec::new();
    for (slot, child) in children {
        if !session.machine().waits_for(slot, child) {
            continue;
        }
        let Some(called) = called(session, slot) else { continue };
        match request(session, slot, child, &called).await? {
            Err(refused) => settle(session, slot, child, refused),
            Ok(request) => requests.push((slot, child, called.wait, request)),
        }
    }
    if requests.is_empty() {
        return Ok(());
    }
    let (root, room) = room_for_descendants(state, session, requests.len()).await?;
    let most = state.config.quotas.get(Quota::Descendants);
    for (number, (slot, child, waits, (workflow_id, mut command))) in requests.into_iter().enumerate() {
        if number >= room {
            let error = format!("The run could not be started. {}", Quota::Descendants.met(most));
            settle(session, slot, child, Outcome::failure(FailureCode::DescendantLimitReached, error));
            continue;
        }
        if let Origin::Parent { parent, .. } = &mut command.origin {
            parent.root = Some(root);
        }
        // Read only now, one after the other, while there is room for it: it is checked, and handed on.
        let fields = session.step_input(slot).await?.unwrap_or_default();
        let memory = state.memory.values(fields.cost().saturating_mul(2)).await;
        if let Some(Value::Object(input)) = fields.at(&["input"]).map(to_value) {
            command.params.input = input;
        }
        let outcome = started(state, session, slot, child, workflow_id, command).await?;
        drop(memory);
        if let Some(outcome) = outcome.or_else(|| (!waits).then(|| goes_on_alone(child))) {
            settle(session, slot, child, outcome);
        }
    }
    Ok(())
}

fn settle(session: &mut Session, slot: Slot, child: RunId, outcome: Outcome) {
    // Refused only when nothing waits any more.
    let _ = session.apply(Command::ChildEnded { slot, child, outcome });
}

/// The result of a step that does not wait for its child.
fn goes_on_alone(child: RunId) -> Outcome {
    Outcome::success(json!({ "child_run_id": child, "status": "running", "output": null }))
}

async fn started(
    state: &AppState,
    session: &Session,
    slot: Slot,
    child: RunId,
    workflow_id: WorkflowId,
    command: StartCommand,
) -> Result<Option<Outcome>> {
    let parent = &session.machine().run().key;
    for conflicts in 0..MOST_CONFLICTS {
        match start(state, &parent.place, workflow_id, command.clone()).await {
            Ok(_) => return Ok(None),
            Err(error) if error.kind == Kind::Overtaken => {
                // Somebody commits the parent just now, or nothing waits for the child any more.
                let now = Session::load(state, parent).await?;
                if !now.is_some_and(|now| now.machine().waits_for(slot, child)) {
                    return Ok(None);
                }
                tokio::time::sleep(PAUSES.wait(conflicts, rand::random())).await;
            }
            Err(error) => {
                return match error.kind {
                    Kind::PaymentRequired => {
                        let error = format!("The run could not be started: {}", error.message);
                        Ok(Some(Outcome::failure(FailureCode::InsufficientCredits, error)))
                    }
                    // Others of the workspace end, and then there is room again: a retry may pass.
                    Kind::TooMany { retry_after } => {
                        let error = format!("The run could not be started: {}", error.message);
                        let mut failure = StepFailure::new(FailureCode::ChildRunFailed, error);
                        failure.may_pass = true;
                        failure.retry_after = Some(retry_after);
                        Ok(Some(Outcome::Failure(failure)))
                    }
                    Kind::Unavailable { .. } | Kind::Internal => Err(error),
                    _ => Ok(Some(refusal(format!("The run could not be started: {}", error.message)))),
                };
            }
        }
    }
    Err(Error::unavailable("The run", "the start of a child met a commit of its parent every time"))
}

fn refusal(error: String) -> Outcome {
    Outcome::failure(FailureCode::ChildRunFailed, error)
}

fn called(session: &Session, slot: Slot) -> Option<WorkflowCall> {
    let planned = session.machine().plan().step(slot.step);
    let kind = match slot.inner {
        None => &planned.step.kind,
        Some(inner) => &planned.body.as_ref()?.steps.get(usize::from(inner.place))?.step.kind,
    };
    match kind {
        StepKind::WorkflowCall(call) => Some(call.clone()),
        _ => None,
    }
}

async fn request(
    session: &Session,
    slot: Slot,
    child: RunId,
    called: &WorkflowCall,
) -> Result<Result<(WorkflowId, StartCommand), Outcome>> {
    let run = session.machine().run();
    let Ok(workflow_id) = called.workflow_id.parse::<WorkflowId>() else {
        return Ok(Err(refusal(format!("workflow_id: {:?} is not a workflow's id.", called.workflow_id))));
    };
    let mut callers = run.parent.as_ref().map(|parent| parent.callers.clone()).unwrap_or_default();
    callers.push(run.workflow_id);
    if callers.contains(&workflow_id) {
        let way: Vec<String> = callers.iter().chain([&workflow_id]).map(ToString::to_string).collect();
        return Ok(Err(refusal(format!("The workflows call each other in a circle: {}.", way.join(" → ")))));
    }
    if callers.len() > CALL_DEPTH_MAX {
        let error = format!("Workflows call each other more than {CALL_DEPTH_MAX} deep.");
        return Ok(Err(refusal(error)));
    }
    let fields = session.step_input(slot).await?.unwrap_or_default();
    let version = fields.at(&["version"]).and_then(|version| version.get().parse().ok());
    Ok(Ok((
        workflow_id,
        StartCommand {
            params: StartParams {
                version,
                external_user_id: run.external_user_id.clone(),
                ..StartParams::default()
            },
            origin: Origin::Parent {
                parent: Parent { run_id: run.key.run_id, slot, waits: called.wait, callers, root: None },
                child,
                trigger_type: run.trigger_type,
                inherited: session.input().await?.mcp,
            },
            without_mcp: run.without_mcp,
        },
    )))
}

/// Looks whether the child that a step waits for has ended, and settles the step if so.
pub(crate) async fn look(state: &AppState, session: &mut Session, slot: Slot, child: RunId) -> Result<()> {
    let Some(called) = called(session, slot) else { return Ok(()) };
    let key = RunRef { place: session.machine().run().key.place.clone(), run_id: child };
    let reader = match called.workflow_id.parse() {
        Ok(workflow_id) => match Reader::load(state, &key, workflow_id).await {
            Ok(reader) => Some(reader),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(error),
        },
        Err(_) => None,
    };
    let Some(reader) = reader else { return call(state, session, vec![(slot, child)]).await };
    if !called.wait {
        settle(session, slot, child, goes_on_alone(child));
    } else if reader.run().status.is_terminal() {
        let outcome = ended(&reader, child, &called).await?;
        settle(session, slot, child, outcome);
    }
    Ok(())
}

async fn ended(reader: &Reader, child: RunId, called: &WorkflowCall) -> Result<Outcome> {
    let run = reader.run();
    if run.status != RunStatus::Completed {
        let why = run
            .failure
            .as_ref()
            .map_or_else(String::new, |failure| format!(" ({}): {}", failure.code.as_str(), failure.error));
        let error = format!("Run {child} of workflow {} {}{why}", run.workflow_id, run.status.as_str());
        return Ok(refusal(error));
    }
    let output = match &called.output_from {
        None => {
            let outputs = reader.outputs().await?;
            JsonText::object(outputs.iter().map(|(id, output)| (id.as_str(), output)))
        }
        Some(id) => {
            let Some(step) = reader.plan().find(id) else {
                return Ok(refusal(format!("output_from: the called version has no step {id:?}.")));
            };
            let (result, _) = reader.values(step).await?;
            result.unwrap_or_default()
        }
    };
    let (child, status) = (json!(child).into(), json!(run.status).into());
    let result = JsonText::object([("child_run_id", &child), ("output", &output), ("status", &status)]);
    Ok(match Outcome::success(result) {
        Outcome::Success { bytes, .. } if bytes > RESULT_MAX_BYTES => {
            let mend = match called.output_from {
                None => {
                    "Name the one step whose result is wanted in output_from, or let the child's last steps return less."
                }
                Some(_) => "Let the child's step return less, such as ids instead of whole records.",
            };
            Outcome::too_large(&format!("The child's output takes {bytes} bytes of JSON"), mend)
        }
        outcome => outcome,
    })
}

/// What is left to do when a run is over: its parent is told, and children that nothing waits for any more are
/// stopped. Repeating it does no harm.
pub(crate) async fn after_the_end(state: &AppState, session: &mut Session) -> Result<()> {
    let run = session.machine().run();
    // A queue that does not answer keeps no child alive.
    let mut told = Ok(());
    if let Some(parent) = run.parent.as_ref().filter(|parent| parent.waits) {
        let key = RunRef { place: run.key.place.clone(), run_id: parent.run_id };
        told = state.queue.send(&Wake::child_ended(key, run.key.run_id), Duration::ZERO).await;
    }
    stop_orphans(state, session).await?;
    told
}

/// Stops the children that nothing waits for any more.
pub(crate) async fn stop_orphans(state: &AppState, session: &mut Session) -> Result<()> {
    let run = session.machine().run();
    let (place, orphans) = (run.key.place.clone(), run.orphans.clone());
    if orphans.is_empty() {
        return Ok(());
    }
    // One that cannot be stopped now does not keep the others running.
    let (mut stopped, mut failed) = (Vec::new(), Ok(()));
    let stops = orphans.into_iter().map(|child| {
        let key = RunRef { place: place.clone(), run_id: child };
        async move { stop_orphan(state, key).await.map(|()| child) }
    });
    let mut stops = stream::iter(stops).buffer_unordered(STOPS_AT_ONCE);
    while let Some(ended) = stops.next().await {
        match ended {
            Ok(child) => stopped.push(child),
            Err(error) => failed = Err(error),
        }
    }
    if !stopped.is_empty() {
        let _ = session.perform(Command::Disown { children: stopped }).await?;
    }
    failed
}

async fn stop_orphan(state: &AppState, key: RunRef) -> Result<()> {
    // One that is not there will never be: nothing waits for it.
    let Some(mut child) = Session::load(state, &key).await? else { return Ok(()) };
    // Refused when it is over.
    let _ = child.perform(Command::Stop(StopMode::Immediate)).await?;
    if !child.machine().run().orphans.is_empty() {
        state.queue.send(&Wake::ended(key), Duration::ZERO).await?;
    }
    Ok(())
}
