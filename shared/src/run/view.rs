//! What readers see of runs: the shapes of the API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::event::{Event, EventKind, SkipReason};
use super::failure::FailureCode;
use super::page::Page;
use super::state::{Run, RunStatus, StepState, TriggerType, Usage};
use crate::clock::Timestamp;
use crate::ids::{RunId, WorkflowId};
use crate::store::RunRow;
use crate::workflow::{Plan, StepIx};

/// A result longer than this does not stand in its event; the context has it.
const LARGEST_IN_EVENT: usize = 32 * 1024;

/// A run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunView {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub run_id: RunId,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    pub workflow_id: WorkflowId,
    /// Its project.
    pub project_id: String,
    /// The version it executes.
    pub version: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// What started it.
    pub trigger_type: TriggerType,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The caller's own name for whoever it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_user_id: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<FailureCode>,
    /// The step that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_step_id: Option<String>,
    /// What went wrong, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its steps, in the graph's order; absent in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
    /// The results of the steps that nothing depends on, by id; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outputs: Option<Map<String, Value>>,
}

/// A step of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepView {
    /// Its id in the graph.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub step_type: String,
    /// Where it stands.
    pub status: String,
    /// The latest attempt, counted from 1; 0 before the first.
    pub attempt: u32,
    /// When that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When the step was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// When the next attempt begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<SkipReason>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<FailureCode>,
    /// What went wrong, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No step has begun.
    Starting,
    /// Steps are under way or about to be.
    Executing,
    /// All that is left to do waits for another attempt.
    Retrying,
    /// Over.
    Done,
}

/// A run in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunSummary {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub run_id: RunId,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    pub workflow_id: WorkflowId,
    /// The version it executes.
    pub version: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// What it is busy with.
    pub orchestration_phase: Phase,
    /// Whether it is over.
    pub run_complete: bool,
    /// Why it failed.
    pub failure_code: Option<FailureCode>,
    /// The step that failed.
    pub failed_step_id: Option<String>,
    /// What went wrong, for a person.
    pub error: Option<String>,
    /// How many steps stand where.
    pub steps: StepCounts,
    /// People who are waited for.
    pub pending_tasks: u32,
    /// What it has used.
    #[serde(flatten)]
    pub usage: Usage,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// How many steps stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct StepCounts {
    /// All of them.
    pub total: u32,
    /// Not begun.
    pub pending: u32,
    /// Waiting for another attempt.
    pub queued: u32,
    /// Under way.
    pub running: u32,
    /// Waiting for a person or another run.
    pub waiting: u32,
    /// With a result.
    pub completed: u32,
    /// Not executed.
    pub skipped: u32,
    /// Failed for good.
    pub failed: u32,
    /// Under way when the run ended.
    pub cancelled: u32,
}

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
    /// The step it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// More, by type.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// What a run was given and what its steps made of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContextView {
    /// The run's input.
    pub input: Value,
    /// By step id.
    pub steps: BTreeMap<String, StepContext>,
}

/// What a step was given and what it made of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepContext {
    /// Where it stands.
    pub status: String,
    /// The fields it was called with, after expansion; empty for steps without such fields.
    pub input: Value,
    /// What it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The result is left out, because the answer would have become too large; ask for this step alone with
    /// `?step_id=`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_omitted: Option<bool>,
    /// What went wrong: `{ "code", "message" }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
}

impl RunView {
    /// A run with its steps and outputs.
    pub fn whole(run: &Run, plan: &Plan, outputs: Map<String, Value>) -> Self {
        let failure = run.failure.as_ref();
        Self {
            run_id: run.key.run_id,
            workflow_id: run.workflow_id,
            project_id: run.key.place.project_id.to_string(),
            version: run.version,
            status: run.status,
            trigger_type: run.trigger_type,
            started_at: run.started_at,
            ended_at: run.ended_at,
            external_user_id: run.external_user_id.clone(),
            failure_code: failure.map(|failure| failure.code),
            failed_step_id: failure.and_then(|failure| failure.step_id.clone()),
            error: failure.map(|failure| failure.error.clone()),
            steps: run
                .steps
                .iter()
                .zip(&plan.steps)
                .map(|(state, planned)| StepView::new(state, planned))
                .collect(),
            outputs: Some(outputs),
        }
    }
}

impl From<RunRow> for RunView {
    fn from(row: RunRow) -> Self {
        Self {
            run_id: row.run_id,
            workflow_id: row.workflow_id,
            project_id: row.project_id.to_string(),
            version: row.version,
            status: row.status,
            trigger_type: row.trigger_type,
            started_at: row.started_at,
            ended_at: row.ended_at,
            external_user_id: row.external_user_id,
            failure_code: row.failure_code,
            failed_step_id: None,
            error: None,
            steps: Vec::new(),
            outputs: None,
        }
    }
}

impl StepView {
    fn new(state: &StepState, planned: &crate::workflow::PlanStep) -> Self {
        let mut view = Self {
            id: planned.step.id.clone(),
            name: planned.step.name.clone(),
            step_type: planned.step.kind.type_name().to_owned(),
            status: state.as_str().to_owned(),
            attempt: 0,
            started_at: None,
            ended_at: None,
            next_attempt_at: None,
            reason: None,
            failure_code: None,
            error: None,
        };
        match state {
            StepState::Pending => {}
            StepState::Queued { attempt, not_before, .. } => {
                view.attempt = *attempt;
                view.next_attempt_at = Some(*not_before);
            }
            StepState::Running { attempt, started_at, .. } => {
                view.attempt = *attempt;
                view.started_at = Some(*started_at);
            }
            StepState::Completed { attempt, started_at, ended_at }
            | StepState::Cancelled { attempt, started_at, at: ended_at } => {
                view.attempt = *attempt;
                view.started_at = Some(*started_at);
                view.ended_at = Some(*ended_at);
            }
            StepState::Skipped { reason, at } => {
                view.reason = Some(*reason);
                view.ended_at = Some(*at);
            }
            StepState::Failed { attempt, started_at, ended_at, code, error } => {
                view.attempt = *attempt;
                view.started_at = Some(*started_at);
                view.ended_at = Some(*ended_at);
                view.failure_code = Some(*code);
                view.error = Some(error.clone());
            }
        }
        view
    }
}

impl RunSummary {
    /// A run in short.
    pub fn new(run: &Run) -> Self {
        let steps = StepCounts::of(run);
        let begun = run.steps.iter().any(|step| *step != StepState::Pending);
        let orchestration_phase = match run.status {
            RunStatus::Completed | RunStatus::Failed => Phase::Done,
            RunStatus::Pending | RunStatus::Running if !begun => Phase::Starting,
            RunStatus::Pending | RunStatus::Running if steps.queued > 0 && steps.running == 0 => {
                Phase::Retrying
            }
            RunStatus::Pending | RunStatus::Running => Phase::Executing,
        };
        let failure = run.failure.as_ref();
        Self {
            run_id: run.key.run_id,
            workflow_id: run.workflow_id,
            version: run.version,
            status: run.status,
            orchestration_phase,
            run_complete: run.status.is_terminal(),
            failure_code: failure.map(|failure| failure.code),
            failed_step_id: failure.and_then(|failure| failure.step_id.clone()),
            error: failure.map(|failure| failure.error.clone()),
            pending_tasks: steps.waiting,
            steps,
            usage: run.usage,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

impl StepCounts {
    fn of(run: &Run) -> Self {
        let mut counts =
            Self { total: u32::try_from(run.steps.len()).unwrap_or(u32::MAX), ..Self::default() };
        for step in &run.steps {
            let count = match step {
                StepState::Pending => &mut counts.pending,
                StepState::Queued { .. } => &mut counts.queued,
                StepState::Running { .. } => &mut counts.running,
                StepState::Completed { .. } => &mut counts.completed,
                StepState::Skipped { .. } => &mut counts.skipped,
                StepState::Failed { .. } => &mut counts.failed,
                StepState::Cancelled { .. } => &mut counts.cancelled,
            };
            *count += 1;
        }
        counts
    }
}

impl EventView {
    /// An event, joined with what its page says of inputs and results.
    pub fn new(event: &Event, page: &Page, run: &Run, plan: &Plan) -> Self {
        let id_of = |step: StepIx| plan.step(step).step.id.clone();
        let (event_type, data) = match &event.kind {
            EventKind::RunStarted { trigger_type, version } => {
                ("run_started", json!({ "trigger_type": trigger_type, "version": version }))
            }
            EventKind::StateChanged { from, to, reason } => {
                ("state_changed", json!({ "from": from, "to": to, "reason": reason }))
            }
            EventKind::StepStarted { attempt } => {
                let input = event.step.and_then(|step| page.inputs.get(&step));
                let input = input.map_or_else(|| json!({}), |input| Value::clone(input));
                ("step_started", json!({ "attempt": attempt, "input": input }))
            }
            EventKind::StepCompleted { duration_ms } => {
                ("step_completed", completed(*duration_ms, event, page))
            }
            EventKind::StepSkipped { reason } => {
                ("step_completed", json!({ "skipped": true, "reason": reason }))
            }
            EventKind::StepFailed { attempt, code, error, retry_in_ms } => {
                let mut data = json!({ "attempt": attempt, "code": code, "error": error,
                                       "will_retry": retry_in_ms.is_some() });
                if let Some(wait) = retry_in_ms {
                    data["retry_in_s"] = json!(std::time::Duration::from_millis(*wait).as_secs_f64());
                }
                ("step_failed", data)
            }
            EventKind::StepCancelled { caused_by } => {
                let mut data = json!({ "cancelled": true, "reason": "run_failed" });
                if let Some(step) = caused_by {
                    data["caused_by_step_id"] = json!(id_of(*step));
                }
                ("step_cancelled", data)
            }
            EventKind::StepLog { lines } => ("step_log", json!({ "lines": lines })),
        };
        Self {
            id: format!("{}:{}", run.key.run_id, event.seq),
            seq: event.seq,
            run_id: run.key.run_id,
            workflow_id: run.workflow_id,
            event_type: event_type.to_owned(),
            step_id: event.step.map(id_of),
            timestamp: event.at,
            data,
        }
    }
}

fn completed(duration_ms: u64, event: &Event, page: &Page) -> Value {
    let mut data = json!({ "duration_ms": duration_ms });
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
