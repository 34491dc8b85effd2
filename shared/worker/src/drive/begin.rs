//! What is ready is begun, as far as there are hands, places and time for it.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep_until;

use super::hands::Wants;
use super::held::{BegunCall, Drive, LONGEST_UNWRITTEN, latest_begin};
use super::loops;
use super::prepare::{self, Call, Start};
use engine::{Command, Slot, Wait, Work};
use types::Result;
use types::tokens::Tokens;

/// What a step that was begun needs now.
enum Begun {
    Nothing,
    Script,
    Call(Call),
}

impl Drive {
    pub(super) async fn begin_ready(&mut self) -> Result<()> {
        // What was begun before an error is gone on with.
        let begun = self.begin_all().await;
        self.place = None;
        if !self.begun.is_empty() || self.claim_first || self.session.machine().is_shared(&self.owner) {
            self.commit().await?;
        }
        self.perform_begun();
        self.execute_begun().await?;
        begun
    }

    async fn begin_all(&mut self) -> Result<()> {
        loop {
            // Taken before a call is begun: a claim must not wait for its turn.
            let permit = self.permit_to_call(self.begun.len()).await?;
            let wants = Wants::these(self.has_place(self.begun_scripts.len()), permit.is_some());
            let Some(work) = self.next_work(&wants) else { break };
            match work {
                Work::Close(step) => {
                    let outcome = loops::close(&self.session, step).await?;
                    self.apply(Command::Close { step, outcome })?;
                }
                Work::Begin(_) if !self.session.can_pay().await? => {
                    self.apply(Command::RunDry)?;
                    self.drop_what_is_not_ours();
                }
                Work::Begin(slot) => match self.begin(slot).await? {
                    Begun::Nothing => {}
                    Begun::Script => {
                        let place = self.place.take();
                        self.begun_scripts.push((slot, place));
                    }
                    Begun::Call(call) => self.begun.push(BegunCall { slot, call, permit }),
                },
            }
            self.note_news();
            self.commit_if_much().await?;
        }
        Ok(())
    }

    /// Begins a step, and says what is to be executed now.
    async fn begin(&mut self, slot: Slot) -> Result<Begun> {
        let begin = |owner: &str, input| Command::Begin { slot, owner: owner.to_owned(), input };
        match prepare::start(&mut self.session, &mut self.scopes, slot).await? {
            Start::Skip(reason) => self.apply(Command::Skip { slot, reason })?,
            Start::Settled(outcome) => {
                self.apply(begin(&self.owner, None))?;
                let (owner, log) = (self.owner.clone(), Vec::new());
                let tokens = Tokens::default();
                self.apply(Command::Settle { slot, owner, outcome, log, tokens })?;
            }
            Start::Script => {
                self.apply(begin(&self.owner, None))?;
                return Ok(Begun::Script);
            }
            Start::Call(call) => {
                self.apply(begin(&self.owner, Some(call.input.clone())))?;
                return Ok(Begun::Call(call));
            }
            Start::Await(on, input) => {
                if let Wait::Child(child) = on {
                    self.to_call.push((slot, child));
                }
                self.apply(Command::Await { slot, on, input })?;
            }
            Start::Open(rounds, input) => self.apply(Command::Open { step: slot.step, rounds, input })?,
        }
        Ok(Begun::Nothing)
    }

    /// A script that may begin now, and is begun as soon as there is a place for it.
    pub(super) fn next_script(&mut self) -> Option<Slot> {
        match self.next_work(&Wants::SCRIPTS)? {
            Work::Begin(slot) => Some(slot),
            Work::Close(_) => None,
        }
    }

    /// Takes a place for one more script in this process, if there is one. A script's lease runs from when it is
    /// begun, so it has its place before that.
    fn has_place(&mut self, begun: usize) -> bool {
        if !self.hands.has_room_for_script(begun) {
            return false;
        }
        if self.place.is_none() {
            self.place = Arc::clone(&self.state.scripts).try_acquire_owned().ok();
        }
        self.place.is_some()
    }

    /// Waits until this process has a place for the script, and meanwhile writes what is not written yet.
    pub(super) async fn wait_for_place(&mut self, slot: Slot) -> Result<()> {
        let places = Arc::clone(&self.state.scripts);
        let timeout = self.session.machine().timeout(slot).unwrap_or_default();
        let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
        tokio::select! {
            place = places.acquire_owned() => self.place = place.ok(),
            () = sleep_until(flush_at.unwrap_or(self.until)), if flush_at.is_some() => self.commit().await?,
            // Too late for this script, which the next look finds out.
            () = sleep_until(latest_begin(self.until, timeout)) => {}
        }
        Ok(())
    }

    /// The right to make one more call, if one is to be made. While other runs of this process have all of them,
    /// somebody who has nothing else to do waits.
    async fn permit_to_call(&mut self, begun: usize) -> Result<Option<OwnedSemaphorePermit>> {
        if !self.has_calls || !self.hands.has_room_for_call(begun) {
            return Ok(None);
        }
        let Some(Work::Begin(slot)) = self.next_work(&Wants::CALLS) else { return Ok(None) };
        let permits = Arc::clone(&self.state.calls);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(Some(permit));
        }
        if begun > 0 || !self.tasks.is_empty() || self.next_work(&Wants::BUT_CALLS).is_some() {
            return Ok(None);
        }
        self.commit().await?;
        let timeout = self.session.machine().timeout(slot).unwrap_or_default();
        tokio::select! {
            permit = permits.acquire_owned() => Ok(permit.ok()),
            () = sleep_until(latest_begin(self.until, timeout)) => Ok(None),
        }
    }
}
