//! What people do to a run: pause, resume, stop, and answer its tasks; `retry.rs` has the retry. Each is one command on the run's
//! state; what has taken effect already is not refused.

use std::time::Duration;

use super::session::Session;
use crate::state::AppState;
use engine::Machine;
use engine::{Answer, Command, Refusal, StopMode};
use engine::{Inner, Slot};
use engine::{RunStatus, StepState};
use platform::queue::Wake;
use types::error::ErrorCode;
use types::ids::{RunRef, WorkflowId};
use types::{Error, Result};
use workflow::{ErrorPolicy, StepKind};

/// A command to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// Start nothing new until resumed.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Stop(StopMode),
}

impl Control {
    /// Whether a run in this state is what the command wants it to be.
    fn has_taken_effect(self, status: RunStatus) -> bool {
        match self {
            Self::Pause => status == RunStatus::Paused,
            Self::Resume => status == RunStatus::Running,
            Self::Stop(_) => status == RunStatus::Stopped,
        }
    }

    /// What it is, and which runs it can be done to.
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Pause => ("paused", "running runs"),
            Self::Resume => ("resumed", "paused runs"),
            Self::Stop(_) => ("stopped", "running, paused or draining runs"),
        }
    }
}

/// Pauses, resumes or stops a run and returns its status then.
///
/// # Errors
/// Not found when there is no such run of this workflow; conflict when its state does not allow it.
pub(super) async fn control(
    state: &AppState,
    key: &RunRef,
    workflow_id: WorkflowId,
    control: Control,
) -> Result<RunStatus> {
    let mut session = load(state, key, workflow_id).await?;
    let command = match control {
        Control::Pause => Command::Pause,
        Control::Resume => Command::Resume,
        Control::Stop(mode) => Command::Stop(mode),
    };
    match session.perform(command).await? {
        Ok(()) => {}
        Err(Refusal::Status(status)) if control.has_taken_effect(status) => return Ok(status),
        Err(_) => {
            let (done, which) = control.told();
            return Err(wrong_state(session.machine(), &format!("only {which} can be {done}")));
        }
    }
    wake(state, &session).await;
    Ok(session.machine().run().status)
}

/// Answers an open human task.
///
/// # Errors
/// Not found when the run has no such task; conflict when it is answered or no longer wanted.
pub(crate) async fn complete_task(
    state: &AppState,
    key: &RunRef,
    workflow_id: WorkflowId,
    task_id: &str,
    answer: Answer,
) -> Result<()> {
    let mut session = load(state, key, workflow_id).await?;
    let closed = |machine: &Machine| {
        let status = machine.run().status.as_str();
        let message = format!(
            "The task is answered already, or no longer wanted: the run is {status}. Nothing was changed."
        );
        Error::conflict(ErrorCode::TaskClosed, message)
    };
    let Some(slot) = task(session.machine(), task_id)? else { return Err(closed(session.machine())) };
    if session.perform(Command::Answer { slot, answer }).await?.is_err() {
        return Err(closed(session.machine()));
    }
    wake(state, &session).await;
    Ok(())
}

/// The open task of this name; none when it is closed.
fn task(machine: &Machine, task_id: &str) -> Result<Option<Slot>> {
    let unknown = || Error::not_found("task");
    let (step_id, item) = match task_id.split_once(':') {
        Some((step_id, item)) => (step_id, Some(item.parse::<u32>().map_err(|_| unknown())?)),
        None => (task_id, None),
    };
    let step = machine.plan().find(step_id).ok_or_else(unknown)?;
    let state = &machine.run().steps[step.index()];
    let Some(round) = item else {
        let is_task = matches!(machine.plan().step(step).step.kind, StepKind::HumanTask(_));
        return match state {
            _ if !is_task => Err(unknown()),
            // Nobody was asked yet.
            StepState::Pending | StepState::Queued { .. } => Err(unknown()),
            StepState::Waiting { .. } => Ok(Some(step.into())),
            _ => Ok(None),
        };
    };
    let reviews = match &machine.plan().step(step).step.kind {
        StepKind::ForEach(each) => each.for_each_error_policy == ErrorPolicy::HumanReview,
        _ => false,
    };
    match (machine.rounds(step), state) {
        _ if !reviews => Err(unknown()),
        (Some((_, rounds)), _) if round >= rounds.next => Err(unknown()),
        (Some((attempt, rounds)), _) => {
            let place = rounds.open.get(&round).map(|round| round.place);
            Ok(place.map(|place| Slot { step, inner: Some(Inner { attempt, round, place }) }))
        }
        (None, StepState::Pending | StepState::Queued { .. }) => Err(unknown()),
        // The loop is over, and with it each question that it asked.
        (None, _) => Ok(None),
    }
}

pub(super) async fn load(state: &AppState, key: &RunRef, workflow_id: WorkflowId) -> Result<Session> {
    let record = state.store.run(key).await?.filter(|record| record.run.workflow_id == workflow_id);
    Session::of(state, record.ok_or_else(|| Error::not_found("run"))?).await
}

/// What follows is a worker's. Without the message the run's deadline brings one.
pub(super) async fn wake(state: &AppState, session: &Session) {
    let machine = session.machine();
    let run = machine.run();
    let has_heirs = !run.orphans.is_empty() || run.parent.is_some();
    let wake = match run.status.is_terminal() {
        true => has_heirs.then(|| Wake::ended(run.key.clone())),
        false => machine.next_work(state.clock.now()).map(|_| Wake::ready(run.key.clone())),
    };
    if let Some(wake) = wake
        && let Err(error) = state.queue.send(&wake, Duration::ZERO).await
    {
        tracing::warn!(%error, run_id = %run.key.run_id, "no message could be sent; the sweep will send one");
    }
}

pub(super) fn wrong_state(machine: &Machine, rule: &str) -> Error {
    let status = machine.run().status.as_str();
    Error::conflict(ErrorCode::RunState, format!("The run is {status}; {rule}."))
}
