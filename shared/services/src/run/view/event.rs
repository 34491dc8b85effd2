//! What readers see of a run's history.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use engine::Page;
use engine::REVIEW;
use engine::Run;
use engine::Slot;
use engine::{Event, EventKind};
use types::clock::Timestamp;
use types::ids::{RunId, WorkflowId};
use workflow::{Plan, StepKind, inner_step_id};

/// A result longer than this does not stand in its event; the context has it.
const LARGEST_IN_EVENT: usize = 32 * 1024;

/// Something that happened to a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventView {
    /// Unique.
    pub id: String,
    /// The place in the run's history: strictly increasing, from 1, without gaps.
    pub seq: u64,
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub run_id: RunId,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    pub workflow_id: WorkflowId,
    /// What happened.
    pub event_type: String,
    /// The step it is about; `parent#body#inner` for an inner step of a loop, whose round is `data.index`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// More, by type.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl EventView {
    /// An event, joined with what its page says of inputs and results.
    pub fn new(event: &Event, page: &Page, run: &Run, plan: &Plan) -> Self {
        let (event_type, mut data) = told(event, page, plan);
        if let Some(slot) = event.step
            && let Some(inner) = slot.inner
        {
            data["loop_step_id"] = json!(plan.step(slot.step).step.id);
            data["index"] = json!(inner.round);
            if is_while(plan, slot) {
                data["iteration"] = json!(inner.round);
            }
        }
        Self {
            id: format!("{}:{}", run.key.run_id, event.seq),
            seq: event.seq,
            run_id: run.key.run_id,
            workflow_id: run.workflow_id,
            event_type: event_type.to_owned(),
            step_id: event.step.map(|slot| id_of(plan, slot)),
            timestamp: event.at,
            data,
        }
    }
}

/// The id of a step, or of an inner step with its loop's; of its loop for a round as a whole.
fn id_of(plan: &Plan, slot: Slot) -> String {
    let planned = plan.step(slot.step);
    let body = planned.body.as_ref().zip(slot.inner);
    let inner = body.and_then(|(body, inner)| body.steps.get(usize::from(inner.place)));
    let own = &planned.step.id;
    inner.map_or_else(|| own.clone(), |inner| inner_step_id(own, &inner.step.id))
}

fn is_while(plan: &Plan, slot: Slot) -> bool {
    matches!(plan.step(slot.step).step.kind, StepKind::While(_))
}

/// An event's type and data, but for its place in a loop.
fn told(event: &Event, page: &Page, plan: &Plan) -> (&'static str, Value) {
    match &event.kind {
        EventKind::RunStarted { trigger_type, version, resumed_from } => {
            let mut data = json!({ "trigger_type": trigger_type, "version": version });
            if let Some(run) = resumed_from {
                data["resumed_from_run_id"] = json!(run);
            }
            ("run_started", data)
        }
        EventKind::StateChanged { from, to, reason, input_keys } => {
            let mut data = json!({ "from": from, "to": to, "reason": reason });
            if !input_keys.is_empty() {
                data["input_keys"] = json!(input_keys);
            }
            ("state_changed", data)
        }
        EventKind::StepStarted { attempt } => {
            let input = event.step.and_then(|step| page.inputs.get(&step));
            let input = input.map_or_else(|| json!({}), |input| Value::clone(input));
            ("step_started", json!({ "attempt": attempt, "input": input }))
        }
        EventKind::StepCompleted { duration_ms } => {
            ("step_completed", completed(event, page, json!({ "duration_ms": duration_ms })))
        }
        EventKind::StepReused => ("step_completed", completed(event, page, json!({ "reused": true }))),
        EventKind::StepSkipped { reason } => ("step_completed", json!({ "skipped": true, "reason": reason })),
        EventKind::StepFailed { attempt, code, error, retry_in_ms } => {
            let mut data = json!({ "attempt": attempt, "code": code, "error": error,
                                   "will_retry": retry_in_ms.is_some() });
            if let Some(wait) = retry_in_ms {
                data["retry_in_s"] = json!(std::time::Duration::from_millis(*wait).as_secs_f64());
            }
            ("step_failed", data)
        }
        EventKind::StepCancelled { caused_by, stopped } => {
            let reason = if *stopped { "run_stopped" } else { "run_failed" };
            let mut data = json!({ "cancelled": true, "reason": reason });
            if let Some(step) = caused_by {
                data["caused_by_step_id"] = json!(plan.step(*step).step.id);
            }
            ("step_cancelled", data)
        }
        EventKind::StepLog { lines } => ("step_log", json!({ "lines": lines })),
        EventKind::HumanTaskCreated { .. } => ("human_task_created", task(event, plan)),
        EventKind::HumanTaskCompleted { .. } => ("human_task_completed", task(event, plan)),
        EventKind::IterationCompleted { index, failed } => {
            let status = if *failed { "failed" } else { "completed" };
            ("iteration_completed", json!({ "index": index, "status": status }))
        }
    }
}

/// What is told of a human task.
fn task(event: &Event, plan: &Plan) -> Value {
    let Some(slot) = event.step else { return json!({}) };
    let task_type = match &plan.step(slot.step).step.kind {
        StepKind::HumanTask(task) => task.task_type.as_str(),
        _ => REVIEW,
    };
    let mut data = json!({ "task_id": slot.task_id(plan), "task_type": task_type });
    match &event.kind {
        EventKind::HumanTaskCreated { expires_at: Some(at) } => data["expires_at"] = json!(at),
        EventKind::HumanTaskCompleted { approved, completed_by, notes } => {
            data["approved"] = json!(approved);
            data["completed_by"] = json!(completed_by);
            if let Some(notes) = notes {
                data["notes"] = json!(notes);
            }
        }
        _ => {}
    }
    data
}

fn completed(event: &Event, page: &Page, more: Value) -> Value {
    let mut data = more;
    if let Some(result) = event.step.and_then(|step| page.results.get(&step)) {
        let fits = serde_json::to_vec(&**result).is_ok_and(|json| json.len() <= LARGEST_IN_EVENT);
        if fits {
            data["result"] = Value::clone(result);
        } else {
            data["result_truncated"] = json!(true);
        }
    }
    data
}
