//! What readers see of runs: the shapes of the API.

mod commanded;
mod context;
mod event;

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use engine::FailureCode;
use engine::SkipReason;
use engine::{Loop, Round};
use engine::{Parent, Run, RunStatus, StepState, TriggerType, Usage, Wait};
use store::RunRow;
use types::clock::Timestamp;
use types::ids::{RunId, WorkflowId};
use types::json_text::JsonText;
use workflow::{Plan, PlanStep};

pub use commanded::{RunControlled, RunStarted};
pub use context::{ContextView, StepContext};
pub use event::EventView;

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
    /// The run whose `workflow_call` step started it; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub parent_run_id: Option<RunId>,
    /// Its steps, in the graph's order; absent in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
    /// The results of the steps that nothing depends on, by id; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outputs: Option<BTreeMap<String, JsonText>>,
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
    /// When it is no longer waited for a person or a child run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The child run that a `workflow_call` waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub child_run_id: Option<RunId>,
    /// How far a loop has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<LoopProgress>,
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

/// How far a loop has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LoopProgress {
    /// How many items there are, or how many iterations there may be.
    pub total: u32,
    /// Rounds that came to their end.
    pub succeeded: u32,
    /// Rounds that failed.
    pub failed: u32,
    /// Rounds under way or about to begin.
    pub open: Vec<OpenRound>,
}

/// A round of a loop that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenRound {
    /// The item or the iteration, from 0.
    pub index: u32,
    /// The inner step it has come to; absent for a `while`'s condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// Where that stands; `held` when it failed and is to be decided on.
    pub status: String,
    /// Its latest attempt, counted from 1; 0 before the first.
    pub attempt: u32,
    /// The child run that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub child_run_id: Option<RunId>,
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
    /// All that is left to do waits for people.
    AwaitingHuman,
    /// Nothing new starts until the run is resumed.
    Paused,
    /// The run stops when what is under way has finished.
    Draining,
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

impl RunView {
    /// A run with its steps and outputs.
    pub fn whole(run: &Run, plan: &Plan, outputs: BTreeMap<String, JsonText>) -> Self {
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
            parent_run_id: run.parent.as_ref().map(|Parent { run_id, .. }| *run_id),
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
            parent_run_id: None,
            steps: Vec::new(),
            outputs: None,
        }
    }
}

impl StepView {
    fn new(state: &StepState, planned: &PlanStep) -> Self {
        let mut view = Self {
            id: planned.step.id.clone(),
            name: planned.step.name.clone(),
            step_type: planned.step.kind.type_name().to_owned(),
            status: state.as_str().to_owned(),
            attempt: 0,
            started_at: None,
            ended_at: None,
            next_attempt_at: None,
            expires_at: None,
            child_run_id: None,
            progress: None,
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
            StepState::Waiting { attempt, started_at, until, on } => {
                view.attempt = *attempt;
                view.started_at = Some(*started_at);
                view.expires_at = *until;
                view.child_run_id = child(on);
            }
            StepState::Looping { attempt, started_at, rounds, .. } => {
                view.attempt = *attempt;
                view.started_at = Some(*started_at);
                view.progress = Some(LoopProgress::new(rounds, planned));
            }
            StepState::Completed { attempt, started_at, ended_at, rejected: _ }
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

fn child(on: &Wait) -> Option<RunId> {
    match on {
        Wait::Child(child) => Some(*child),
        Wait::Person => None,
    }
}

impl LoopProgress {
    fn new(rounds: &Loop, planned: &PlanStep) -> Self {
        let body = planned.body.as_ref().map_or(&[][..], |body| &body.steps);
        let open = |(index, round): (&u32, &Round)| OpenRound {
            index: *index,
            step_id: body.get(usize::from(round.place)).map(|inner| inner.step.id.clone()),
            status: if round.held.is_some() { "held" } else { round.state.as_str() }.to_owned(),
            attempt: round.state.attempt().unwrap_or(round.attempts_before),
            child_run_id: match &round.state {
                StepState::Waiting { on, .. } => child(on),
                _ => None,
            },
        };
        Self {
            total: rounds.total,
            succeeded: rounds.succeeded,
            failed: u32::try_from(rounds.failed.len()).unwrap_or(u32::MAX),
            open: rounds.open.iter().map(open).collect(),
        }
    }
}

impl RunSummary {
    /// A run in short.
    pub fn new(run: &Run) -> Self {
        let steps = StepCounts::of(run);
        let pending_tasks = pending_tasks(run);
        let failure = run.failure.as_ref();
        Self {
            run_id: run.key.run_id,
            workflow_id: run.workflow_id,
            version: run.version,
            status: run.status,
            orchestration_phase: phase(run, pending_tasks),
            run_complete: run.status.is_terminal(),
            failure_code: failure.map(|failure| failure.code),
            failed_step_id: failure.and_then(|failure| failure.step_id.clone()),
            error: failure.map(|failure| failure.error.clone()),
            pending_tasks,
            steps,
            usage: run.usage,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

fn phase(run: &Run, pending_tasks: u32) -> Phase {
    let begun = || run.steps.iter().any(|step| *step != StepState::Pending);
    match run.status {
        RunStatus::Completed | RunStatus::Failed | RunStatus::Stopped => Phase::Done,
        RunStatus::Paused => Phase::Paused,
        RunStatus::Draining => Phase::Draining,
        RunStatus::Pending | RunStatus::Running if !begun() => Phase::Starting,
        RunStatus::Pending | RunStatus::Running if run.steps.iter().any(is_busy) => Phase::Executing,
        RunStatus::Pending | RunStatus::Running if pending_tasks > 0 => Phase::AwaitingHuman,
        RunStatus::Pending | RunStatus::Running if run.steps.iter().any(is_retried) => Phase::Retrying,
        RunStatus::Pending | RunStatus::Running => Phase::Executing,
    }
}

/// Whether something of the step is under way: of a loop, a round that waits neither for a person nor for its next
/// attempt.
fn is_busy(state: &StepState) -> bool {
    let is_busy_round = |round: &Round| match &round.state {
        StepState::Waiting { on: Wait::Person, .. } | StepState::Queued { .. } => false,
        _ => round.held.is_none(),
    };
    match state {
        StepState::Running { .. } => true,
        StepState::Looping { rounds, .. } => rounds.is_over() || rounds.open.values().any(is_busy_round),
        _ => false,
    }
}

/// Whether the step, or a round of it, waits for its next attempt.
fn is_retried(state: &StepState) -> bool {
    let is_queued = |state: &StepState| matches!(state, StepState::Queued { .. });
    match state {
        StepState::Looping { rounds, .. } => rounds.open.values().any(|round| is_queued(&round.state)),
        other => is_queued(other),
    }
}

/// Steps that wait for a person, and reviews of failed items.
fn pending_tasks(run: &Run) -> u32 {
    let is_task = |state: &StepState| matches!(state, StepState::Waiting { on: Wait::Person, .. });
    let of_step = |state: &StepState| match state {
        StepState::Looping { rounds, .. } => {
            rounds.open.values().filter(|round| is_task(&round.state)).count()
        }
        other => usize::from(is_task(other)),
    };
    u32::try_from(run.steps.iter().map(of_step).sum::<usize>()).unwrap_or(u32::MAX)
}

impl StepCounts {
    fn of(run: &Run) -> Self {
        let mut counts =
            Self { total: u32::try_from(run.steps.len()).unwrap_or(u32::MAX), ..Self::default() };
        for step in &run.steps {
            let count = match step {
                StepState::Pending => &mut counts.pending,
                StepState::Queued { .. } => &mut counts.queued,
                StepState::Running { .. } | StepState::Looping { .. } => &mut counts.running,
                StepState::Waiting { .. } => &mut counts.waiting,
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
