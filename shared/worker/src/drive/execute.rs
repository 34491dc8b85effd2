//! What was begun is executed: scripts on threads, calls as tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::held::{BegunCall, Drive};
use super::prepare::Call;
use super::{observe, prepare};
use engine::{FailureCode, Outcome, Slot};
use platform::fair_semaphore::FairPermit;
use services::state::AppState;
use services::step::{Attempt, Performed, Script, Scripted};
use types::Result;

impl Drive {
    /// Executes the scripts that were begun. One whose values cannot be read stays among them.
    pub(super) async fn execute_begun(&mut self) -> Result<()> {
        while !self.begun_scripts.is_empty() {
            let (slot, permit) = self.begun_scripts.remove(0);
            if self.session.machine().is_held_by(slot, &self.owner) {
                match prepare::script(&mut self.session, &mut self.scopes, slot).await {
                    Ok(Ok(script)) => self.execute(slot, script, permit),
                    Ok(Err(too_much)) => self.settle(slot, too_much.into()),
                    Err(error) => {
                        self.begun_scripts.insert(0, (slot, permit));
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Performs the calls whose claims are written.
    pub(super) fn perform_begun(&mut self) {
        for BegunCall { slot, call, permit } in std::mem::take(&mut self.begun) {
            self.perform(slot, call, permit);
        }
    }

    fn execute(&mut self, slot: Slot, script: Script, permit: Option<FairPermit>) {
        self.hands.takes_script(slot, script.cancel_handle());
        let span = observe::step(self.session.machine(), slot);
        let scripts = self.scripts.clone();
        self.tasks.spawn_blocking(move || {
            let _inside = span.entered();
            // Only a defect of ours panics; it must cost this step, not the run.
            let run = catch_unwind(AssertUnwindSafe(|| script.run(&scripts)));
            drop(permit);
            (slot, run.unwrap_or_else(|_| Scripted::crashed()).into())
        });
    }

    /// Performs a call whose claim is written, unless somebody else moved the run before that.
    fn perform(&mut self, slot: Slot, call: Call, permit: Option<FairPermit>) {
        let machine = self.session.machine();
        if !machine.is_held_by(slot, &self.owner) {
            return;
        }
        let now = self.state.clock.now();
        let Some(attempt) = prepare::attempt(machine, slot, now) else { return };
        // Its result is wanted, however long the store takes to take it.
        if let Some(lease) = machine.lease_of(slot) {
            self.patience.hold_until(Instant::now() + lease.since(now));
        }
        let state = self.state.clone();
        let work = async move {
            let performed = performed(&state, call, attempt).await;
            drop(permit);
            (slot, performed)
        };
        let call = self.tasks.spawn(work.instrument(observe::step(self.session.machine(), slot)));
        self.hands.takes_call(slot, call);
    }
}

/// Makes a call, once there is memory for what it is called with; the time for that is the attempt's.
async fn performed(state: &AppState, call: Call, attempt: Attempt) -> Performed {
    let began = Instant::now();
    // Its fields, and the request that is made of them.
    let cost = call.cost().saturating_mul(2);
    let Ok(memory) = tokio::time::timeout(attempt.timeout, state.memory.values(cost)).await else {
        let error = "The step's fields are large, and other large ones left no memory for them in its time (timeout_s).";
        return Outcome::failure(FailureCode::StepTimeout, error).into();
    };
    let waited = if memory.was_needed() { began.elapsed() } else { Duration::ZERO };
    let timeout = attempt.timeout.saturating_sub(waited);
    match call.effect() {
        Ok(effect) => effect.perform(state, &Attempt { timeout, ..attempt }).await,
        Err(failed) => failed.into(),
    }
}
