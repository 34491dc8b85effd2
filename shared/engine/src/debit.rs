//! When a run's use is taken from the workspace's credits.

use std::time::Duration;

use billing::{LedgerEntry, Metering, Microcredits, What};
use types::clock::Timestamp;

use crate::bill::Bill;
use crate::state::Run;
use crate::status::RunStatus;
use crate::step_state::StepState;

/// A long run is debited with the first write after this many steps …
const MOST_UNSETTLED: u64 = 50;
/// … or after this time.
const LONGEST_UNSETTLED: Duration = Duration::from_secs(60);

/// Whether nobody works on a run that waits for a person or a child: it may wait for weeks.
fn waits(run: &Run) -> bool {
    let works = |state: &StepState| matches!(state, StepState::Running { .. } | StepState::Looping { .. });
    let waits = |state: &StepState| matches!(state, StepState::Waiting { .. });
    run.steps.iter().any(waits) && !run.steps.iter().any(works)
}

/// What is to be debited with the next write of the run, whose state says from now on that it was; none when there
/// is nothing, or when what there is can wait.
pub fn debit(run: &mut Run, metering: Metering, now: Timestamp) -> Option<LedgerEntry> {
    let bill = &run.bill;
    let steps = run.usage.steps_executed.saturating_sub(bill.steps);
    let rests = run.status.is_terminal() || run.status == RunStatus::Paused || waits(run);
    let waited = now.since(bill.at.unwrap_or(run.started_at)) >= LONGEST_UNSETTLED;
    if steps == 0 || !(rests || waited || steps >= MOST_UNSETTLED) {
        return None;
    }
    let microcredits = Microcredits(run.usage.credits_used_microcredits).less(bill.debited);
    let debits = bill.debits + 1;
    run.bill = Bill {
        price: bill.price,
        debits,
        steps: run.usage.steps_executed,
        debited: Microcredits(run.usage.credits_used_microcredits),
        at: Some(now),
    };
    Some(LedgerEntry {
        at: now,
        cause: format!("run/{}/{debits}", run.key.run_id),
        microcredits,
        what: What::Debit {
            run_id: run.key.run_id,
            project_id: run.key.place.project_id.clone(),
            workflow_id: run.workflow_id,
            steps,
            free: metering == Metering::Unlimited,
        },
    })
}
