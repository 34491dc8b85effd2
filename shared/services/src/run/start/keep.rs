//! Writing a run: once, whatever else is written at the same time.

use std::time::Duration;

use crate::state::AppState;
use engine::{Machine, Page, RunInput, RunStatus};
use platform::metrics::Metric;
use platform::queue::Wake;
use store::{AuditRecord, FirstRun, Receipt, Spread, StoreError};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{Place, RunId, RunRef, WorkflowId};
use types::retry::Backoff;
use types::{Error, Result};

/// How often a start tries again when it meets another.
const MOST_BUSY: u32 = 8;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(1280));

/// A run that was started, now or by an earlier request with the same id.
#[derive(Debug, Clone)]
pub struct Started {
    /// The run.
    pub run_id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// The version it executes.
    pub version: u32,
    /// When it was accepted.
    pub started_at: Timestamp,
}

/// Writes a run that has begun, with what belongs beside it, and wakes a worker.
pub(super) async fn keep(
    state: &AppState,
    mut machine: Machine,
    pages: &[Page],
    input: &RunInput,
    (receipt, trace): (Option<&Receipt>, Option<&AuditRecord>),
) -> Result<Started> {
    let counts = machine.take_counts();
    let run = machine.run();
    let deadline = machine.deadline(run.started_at);
    let mut spread = Spread::default();
    for busy in 0_u32.. {
        let counts = counts.as_ref().map(|counts| (counts, spread));
        let first = FirstRun { run, pages, input, deadline, counts, receipt, trace };
        match state.store.create_run(first).await {
            Ok(()) => break,
            // Whoever gave the receipt finds the run of the delivery that was first.
            Err(StoreError::Conflict) if receipt.is_none() => {
                match existing(state, &run.key, run.workflow_id).await {
                    // Another start with this id is just about to be kept; or not, and then this one is.
                    Err(error)
                        if error.kind == Kind::Overtaken && run.parent.is_none() && busy < MOST_BUSY =>
                    {
                        tokio::time::sleep(PAUSES.wait(busy, rand::random())).await;
                    }
                    existing => return existing,
                }
            }
            Err(StoreError::Busy) if busy < MOST_BUSY => {
                spread = spread.other();
                tokio::time::sleep(PAUSES.wait(busy, rand::random())).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !run.status.is_terminal() {
        state.live_runs.note_started(&run.key.place);
    }
    state.metrics.count(Metric::RunsStarted, &[("trigger", run.trigger_type.as_str())]);
    if run.status.is_terminal() {
        state.metrics.count(Metric::RunsEnded, &[("outcome", run.status.as_str())]);
    }
    // The row is there, so the run is accepted; without the message the sweep finds it by its deadline.
    if !run.status.is_terminal()
        && let Err(error) = state.queue.send(&Wake::ready(run.key.clone()), Duration::ZERO).await
    {
        tracing::warn!(%error, run_id = %run.key.run_id, "started without a message; the sweep will send one");
    }
    Ok(Started {
        run_id: run.key.run_id,
        status: run.status,
        version: run.version,
        started_at: run.started_at,
    })
}

/// A start that is refused today may have been accepted before, under the client's own id.
pub(super) async fn started_before(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    run_id: Option<RunId>,
    refusal: Error,
) -> Result<Started> {
    let Some(run_id) = run_id else { return Err(refusal) };
    let key = RunRef { place: place.clone(), run_id };
    match state.store.run(&key).await? {
        Some(record) if record.run.workflow_id == id => existing(state, &key, id).await,
        _ => Err(refusal),
    }
}

async fn existing(state: &AppState, key: &RunRef, workflow_id: WorkflowId) -> Result<Started> {
    let run = state.store.run(key).await?.ok_or(StoreError::Conflict)?.run;
    if run.workflow_id != workflow_id {
        return Err(Error::conflict(
            ErrorCode::RunIdInUse,
            "params.run_id: this id belongs to a run of another workflow.",
        ));
    }
    Ok(Started { run_id: key.run_id, status: run.status, version: run.version, started_at: run.started_at })
}
