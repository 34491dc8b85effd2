//! Fires a trigger: starts the run of its due time, then moves it to its next one.
//!
//! The run's id is derived from the trigger and the due time, so starting it again, by another sweep at the same
//! time or after a crash between the two, is the same run. The move holds only if the trigger still is what was
//! read. So each due time starts one run, and a trigger that somebody changed goes by its new schedule.

use serde_json::{Map, Value};

use crate::run::{Origin, StartCommand, StartParams, Started, start};
use crate::state::AppState;
use engine::trigger::{Move, Schedule, TriggerError, next_move};
use platform::boxed;
use store::{StoreError, TriggerRecord};
use types::clock::Timestamp;
use types::error::Kind;
use types::ids::TriggerRef;
use types::{Error, Result};

/// The most moves of one trigger in one sweep: a minute's schedule that catches up takes seven. What remains,
/// because others change the trigger all the time, is left to the next sweep.
const MOST_MOVES: usize = 20;

/// Does what is to be done with a trigger now, and returns how many runs it started.
///
/// # Errors
/// When a store does not answer: nothing is moved, and the next sweep tries again.
#[boxed]
pub async fn fire(state: &AppState, key: &TriggerRef) -> Result<usize> {
    let mut started = 0;
    let mut known = None;
    for _ in 0..MOST_MOVES {
        let read = match known.take() {
            Some(record) => Some(record),
            None => state.store.trigger(key).await?,
        };
        // The index may be behind: the trigger is gone, or has another due time by now.
        let Some(mut record) = read else { break };
        let Some(ran) = advance(state, &mut record).await? else { break };
        match state.store.save_trigger(&mut record).await {
            Ok(()) => {
                started += usize::from(ran);
                known = Some(record);
            }
            // Somebody was faster: look at what is there now.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(started)
}

/// Makes the next move on the record, and says whether a run was started for it; none when nothing is due.
async fn advance(state: &AppState, record: &mut TriggerRecord) -> Result<Option<bool>> {
    let now = state.clock.now();
    if record.next_run_at.is_none_or(|due| due > now) {
        return Ok(None);
    }
    let schedule = match Schedule::parse(&record.cron, &record.timezone) {
        Ok(schedule) => schedule,
        Err(error) => {
            // It was read when it was saved; a later release has stopped reading it. Its owner sees why.
            record.next_run_at = None;
            record.last_error = Some(refusal(now, error));
            return Ok(Some(false));
        }
    };
    match next_move(&record.pending(), &schedule, now) {
        Move::Wait => Ok(None),
        Move::PassOver { to, catching_up } => {
            tracing::info!(trigger_id = %record.id, missed = ?record.next_run_at, "missed due times");
            record.next_run_at = to;
            record.catching_up = catching_up;
            Ok(Some(false))
        }
        Move::Fire(due) => {
            let outcome = start_run(state, record, due).await;
            let ran = match outcome {
                Ok(run) => {
                    record.last_run_at = Some(run.started_at);
                    record.last_run_id = Some(run.run_id);
                    true
                }
                Err(error) if passes(&error) => return Err(error),
                Err(error) => {
                    tracing::info!(trigger_id = %record.id, code = error.code.as_str(), "a due time started no run");
                    record.last_error = Some(refusal(now, error));
                    false
                }
            };
            record.next_run_at = schedule.next_after(due);
            record.catching_up = false;
            Ok(Some(ran))
        }
    }
}

async fn start_run(state: &AppState, record: &TriggerRecord, due: Timestamp) -> Result<Started> {
    let params: Map<String, Value> = serde_json::from_str(&record.params).map_err(Error::internal_from)?;
    let command = StartCommand {
        params: StartParams::from_saved_params(params)?,
        origin: Origin::Trigger { id: record.id, due },
        without_mcp: record.without_mcp,
    };
    start(state, &record.place, record.workflow_id, command).await
}

/// Whether the same start may be accepted a little later: a store does not answer, or another sweep is writing the
/// same run at this moment.
fn passes(error: &Error) -> bool {
    matches!(error.kind, Kind::Unavailable { .. } | Kind::Overtaken)
}

fn refusal(at: Timestamp, error: Error) -> TriggerError {
    let context = error.causes();
    if !context.is_empty() {
        tracing::error!(code = error.code.as_str(), context, "a trigger's start failed");
    }
    TriggerError { at, code: error.code.as_str().to_owned(), error: error.message }
}
