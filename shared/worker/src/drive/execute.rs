//! What was begun is executed: scripts on threads, calls as tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument;

use super::held::{BegunCall, Drive};
use super::{observe, prepare};
use engine::Slot;
use services::step::{Effect, Script, Scripted};
use types::Result;

impl Drive {
    /// Executes the scripts that were begun. One whose values cannot be read stays among them.
    pub(super) async fn execute_begun(&mut self) -> Result<()> {
        while !self.begun_scripts.is_empty() {
            let (slot, place) = self.begun_scripts.remove(0);
            if self.session.machine().is_held_by(slot, &self.owner) {
                match prepare::script(&mut self.session, &mut self.scopes, slot).await {
                    Ok(script) => self.execute(slot, script, place),
                    Err(error) => {
                        self.begun_scripts.insert(0, (slot, place));
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Performs the calls whose claims are written.
    pub(super) fn perform_begun(&mut self) {
        for BegunCall { slot, effect, permit } in std::mem::take(&mut self.begun) {
            self.perform(slot, effect, permit);
        }
    }

    fn execute(&mut self, slot: Slot, script: Script, place: Option<OwnedSemaphorePermit>) {
        self.hands.takes_script(slot, script.cancel_handle());
        let span = observe::step(self.session.machine(), slot);
        let scripts = self.scripts.clone();
        self.tasks.spawn_blocking(move || {
            let _inside = span.entered();
            // Only a defect of ours panics; it must cost this step, not the run.
            let run = catch_unwind(AssertUnwindSafe(|| script.run(&scripts)));
            drop(place);
            (slot, run.unwrap_or_else(|_| Scripted::crashed()).into())
        });
    }

    /// Performs a call whose claim is written, unless somebody else moved the run before that.
    fn perform(&mut self, slot: Slot, effect: Box<Effect>, permit: Option<OwnedSemaphorePermit>) {
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
            let performed = effect.perform(&state, &attempt).await;
            drop(permit);
            (slot, performed)
        };
        let call = self.tasks.spawn(work.instrument(observe::step(self.session.machine(), slot)));
        self.hands.takes_call(slot, call);
    }
}
