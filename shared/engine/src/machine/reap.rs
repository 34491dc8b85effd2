//! What time does to a run: leases end, waits end, drains end, and a run that stands still fails.

use std::time::Duration;

use serde_json::json;

use super::{Failure, LONGEST_BACKOFF, Machine, RunStatus, Slot, StepState, Wait};
use crate::command::StepFailure;
use crate::{FailureCode, Inner};
use types::clock::Timestamp;
use workflow::{StepIx, StepKind};

/// What a run may stand still beyond its longest step timeout and backoff.
const STALL_MARGIN: Duration = Duration::from_secs(15 * 60);
/// … and beyond that while there is something to begin, which whoever looks at it then does. Nobody may have looked:
/// the process was down, or the function was throttled.
const LONGEST_OUTAGE: Duration = Duration::from_secs(24 * 3600);

impl Machine {
    pub(super) fn reap(&mut self, dead_before: Option<Timestamp>, in_order: bool, now: Timestamp) {
        let slots: Vec<Slot> = self.unsettled().map(|(slot, _)| slot).collect();
        for slot in slots {
            // A failure before may have ended the loop, or the run.
            if self.run.status.is_terminal() {
                return;
            }
            if self.reap_step(slot, dead_before, in_order, now) {
                // The end of a long wait is a step forward: what follows from it has yet to be begun.
                self.run.progress_at = now;
                self.changed_silently = true;
            }
        }
        if self.run.drain_until.is_some_and(|until| until <= now) {
            let error = "What was under way did not finish within 15 minutes of the graceful stop.";
            self.halt_stopped(FailureCode::DrainTimeout, error, now);
        } else if let Some(still) = self.stands_still(dead_before, now) {
            let has_work = self.next_work(now).is_some();
            if still > if has_work { LONGEST_OUTAGE } else { Duration::ZERO } {
                self.fail_stalled(now);
            }
        }
    }

    /// What could be begun was tried, and it cannot be: a run that stands still for too long ends by that.
    pub(super) fn give_up(&mut self, now: Timestamp) {
        if self.stands_still(None, now).is_some() {
            self.fail_stalled(now);
        }
    }

    fn fail_stalled(&mut self, now: Timestamp) {
        let code = FailureCode::RunStalledOrTimedOut;
        let error = "The run made no progress for longer than its steps may take.".to_owned();
        self.fail_run(Failure { code, step_id: None, error }, None, now);
    }

    /// Whether the time of what is under way there was up.
    fn reap_step(
        &mut self,
        slot: Slot,
        dead_before: Option<Timestamp>,
        in_order: bool,
        now: Timestamp,
    ) -> bool {
        let Some(state) = self.state(slot).cloned() else { return false };
        let time_runs = self.run.status != RunStatus::Paused;
        if time_runs && self.round_is_late(slot, now) {
            self.abandon(slot);
            let error =
                "The item took longer than it may (for_each_item_timeout_s or while_iteration_timeout_s).";
            let id = self.step_of(slot).map_or("while_condition", |step| step.id.as_str()).to_owned();
            let failure = json!({ "code": FailureCode::StepTimeout, "message": error, "step_id": id });
            self.fail_round(slot, (FailureCode::StepTimeout, &failure), now);
            return true;
        }
        match state {
            StepState::Running { attempt, started_at, lease, lost } => {
                let was_before = dead_before.is_some_and(|dead| started_at < dead);
                if lease.until > now && !was_before {
                    return false;
                }
                // Whether the run was the reason is found out when it is alone.
                if !(was_before && in_order) {
                    self.suspect();
                }
                let lost = lost.saturating_add(1);
                self.set(slot, StepState::Queued { attempt, not_before: now, lost });
            }
            StepState::Waiting { attempt, started_at, until: Some(until), on }
                if time_runs && until <= now =>
            {
                match on {
                    Wait::Person => self.give_up_on_person(slot.step, attempt, started_at, now),
                    Wait::Child(_) => {
                        self.abandon(slot);
                        let error = "The run that the step called did not end in its time (timeout_s).";
                        self.time_out(slot, attempt, started_at, error.to_owned(), now);
                    }
                }
            }
            StepState::Looping { until, .. } if time_runs && until <= now => {
                let error = "The loop did not end in its time (timeout_s).".to_owned();
                self.fail_loop(slot.step, FailureCode::StepTimeout, error, now);
            }
            _ => return false,
        }
        true
    }

    fn time_out(&mut self, slot: Slot, attempt: u32, started_at: Timestamp, error: String, now: Timestamp) {
        let code = FailureCode::StepTimeout;
        let failure = StepFailure::new(code, error);
        self.fail_attempt(slot, attempt, started_at, failure, now);
    }

    fn round_is_late(&self, slot: Slot, now: Timestamp) -> bool {
        slot.inner
            .filter(|_| !self.is_held(slot))
            .and_then(|inner| self.round_deadline(slot.step, inner))
            .is_some_and(|until| until <= now)
    }

    /// When a round must be over.
    pub(super) fn round_deadline(&self, step: StepIx, inner: Inner) -> Option<Timestamp> {
        let longest = match &self.plan.step(step).step.kind {
            StepKind::ForEach(each) => each.for_each_item_timeout_s?,
            StepKind::While(kind) => kind.while_iteration_timeout_s?,
            _ => return None,
        };
        let started_at = self.rounds(step)?.1.open.get(&inner.round)?.started_at?;
        Some(started_at.plus(longest.duration()))
    }

    /// For how much longer than it may a run has stood still that has something to do; none when it may. Who waits
    /// for people, children or a retry has a deadline of its own. Before its process started nobody could look.
    fn stands_still(&self, process_start: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        if self.run.status != RunStatus::Running || self.is_waiting() {
            return None;
        }
        let longest = self.plan.steps.iter().filter_map(|planned| planned.timeout).max().unwrap_or_default();
        let since = process_start.map_or(self.run.progress_at, |start| start.max(self.run.progress_at));
        let over = now.since(since).checked_sub(longest + LONGEST_BACKOFF + STALL_MARGIN)?;
        (over > Duration::ZERO).then_some(over)
    }
}
