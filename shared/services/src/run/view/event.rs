//! What readers see of a run's history.

use std::collections::BTreeMap;

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
use types::json_text::JsonText;
use workflow::{Plan, StepKind, inner_step_id};

/// A result longer than this does not stand in its event; the context has it.
const LARGEST_IN_EVENT: usize = 32 * 1024;

/// What is told of an event, by name: texts, because inputs and results are among them.
pub type Data = BTreeMap<&'static str, JsonText>;

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
    pub data: Data,
}

impl EventView {
    /// An event, joined with what its page says of inputs and results.
    pub fn new(event: &Event, page: &Page, run: &Run, plan: &Plan) -> Self {
        let (event_type, mut data) = told(event, page, plan);
        if let Some(slot) = event.step
            && let Some(inner) = slot.inner
        {
            data.insert("loop_step_id", json!(plan.step(slot.step).step.id).into());
            data.insert("index", json!(inner.round).into());
            if is_while(plan, slot) {
                data.insert("iteration", json!(inner.round).into());
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
fn told(event: &Event, page: &Page, plan: &Plan) -> (&'static str, Data) {
    match &event.kind {
        EventKind::RunStarted { trigger_type, version, resumed_from } => {
            let mut data = of([("trigger_type", json!(trigger_type)), ("version", json!(version))]);
            if let Some(run) = resumed_from {
                data.insert("resumed_from_run_id", json!(run).into());
            }
            ("run_started", data)
        }
        EventKind::StateChanged { from, to, reason, input_keys } => {
            let mut data = of([("from", json!(from)), ("to", json!(to)), ("reason", json!(reason))]);
            if !input_keys.is_empty() {
                data.insert("input_keys", json!(input_keys).into());
            }
            ("state_changed", data)
        }
        EventKind::StepStarted { attempt } => {
            let input = event.step.and_then(|step| page.inputs.get(&step)).cloned();
            let mut data = of([("attempt", json!(attempt))]);
            data.insert("input", input.unwrap_or_else(|| json!({}).into()));
            ("step_started", data)
        }
        EventKind::StepCompleted { duration_ms } => {
            ("step_completed", completed(event, page, of([("duration_ms", json!(duration_ms))])))
        }
        EventKind::StepReused => ("step_completed", completed(event, page, of([("reused", json!(true))]))),
        EventKind::StepSkipped { reason } => {
            ("step_completed", of([("skipped", json!(true)), ("reason", json!(reason))]))
        }
        EventKind::StepFailed { attempt, code, error, retry_in_ms } => {
            let mut data = of([
                ("attempt", json!(attempt)),
                ("code", json!(code)),
                ("error", json!(error)),
                ("will_retry", json!(retry_in_ms.is_some())),
            ]);
            if let Some(wait) = retry_in_ms {
                let seconds = std::time::Duration::from_millis(*wait).as_secs_f64();
                data.insert("retry_in_s", json!(seconds).into());
            }
            ("step_failed", data)
        }
        EventKind::StepCancelled { caused_by, stopped } => {
            let reason = if *stopped { "run_stopped" } else { "run_failed" };
            let mut data = of([("cancelled", json!(true)), ("reason", json!(reason))]);
            if let Some(step) = caused_by {
                data.insert("caused_by_step_id", json!(plan.step(*step).step.id).into());
            }
            ("step_cancelled", data)
        }
        EventKind::StepLog { lines } => ("step_log", of([("lines", json!(lines))])),
        EventKind::HumanTaskCreated { .. } => ("human_task_created", task(event, plan)),
        EventKind::HumanTaskCompleted { .. } => ("human_task_completed", task(event, plan)),
        EventKind::IterationCompleted { index, failed } => {
            let status = if *failed { "failed" } else { "completed" };
            ("iteration_completed", of([("index", json!(index)), ("status", json!(status))]))
        }
    }
}

fn of<const N: usize>(data: [(&'static str, Value); N]) -> Data {
    data.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// What is told of a human task.
fn task(event: &Event, plan: &Plan) -> Data {
    let Some(slot) = event.step else { return Data::new() };
    let task_type = match &plan.step(slot.step).step.kind {
        StepKind::HumanTask(task) => task.task_type.as_str(),
        _ => REVIEW,
    };
    let mut data = of([("task_id", json!(slot.task_id(plan))), ("task_type", json!(task_type))]);
    match &event.kind {
        EventKind::HumanTaskCreated { expires_at: Some(at) } => {
            data.insert("expires_at", json!(at).into());
        }
        EventKind::HumanTaskCompleted { approved, completed_by, notes } => {
            data.extend(of([("approved", json!(approved)), ("completed_by", json!(completed_by))]));
            if let Some(notes) = notes {
                data.insert("notes", json!(notes).into());
            }
        }
        _ => {}
    }
    data
}

fn completed(event: &Event, page: &Page, more: Data) -> Data {
    let mut data = more;
    if let Some(result) = event.step.and_then(|step| page.results.get(&step)) {
        if result.bytes() <= LARGEST_IN_EVENT {
            data.insert("result", result.clone());
        } else {
            data.insert("result_truncated", json!(true).into());
        }
    }
    data
}
