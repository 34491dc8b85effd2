//! What is ready is begun, as far as there are hands, places and time for it.

use tokio::time::sleep_until;

use super::hands::Wants;
use super::held::{BegunCall, Drive, LONGEST_UNWRITTEN, latest_begin};
use super::loops;
use super::prepare::{self, Call, Start};
use engine::{Command, Slot, Wait, Work};
use platform::fair_semaphore::FairPermit;
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
        self.script_permit = None;
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
            let wants = Wants::these(self.has_script_permit(self.begun_scripts.len()), permit.is_some());
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
                        let permit = self.script_permit.take();
                        self.begun_scripts.push((slot, permit));
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

    /// Acquires the permit for one more script, if there is one. A script's lease runs from when it is begun, so it has its
    /// permit before that.
    fn has_script_permit(&mut self, begun: usize) -> bool {
        if !self.hands.has_room_for_script(begun) {
            return false;
        }
        if self.script_permit.is_none() {
            self.script_permit = self.state.scripts.try_acquire(&self.holder);
        }
        self.script_permit.is_some()
    }

    /// Waits until this process has a permit for the script, and meanwhile writes what is not written yet, and looks whether
    /// the run was stopped.
    pub(super) async fn wait_for_script_permit(&mut self, slot: Slot) -> Result<()> {
        let timeout = self.session.machine().timeout(slot).unwrap_or_default();
        let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
        self.hands.listen();
        tokio::select! {
            permit = self.state.scripts.acquire(&self.holder) => self.script_permit = Some(permit),
            () = sleep_until(flush_at.unwrap_or(self.until)), if flush_at.is_some() => self.commit().await?,
            () = self.hands.time_to_look(self.session.machine()) => self.look().await,
            // Too late for this script, which the next look finds out.
            () = sleep_until(latest_begin(self.until, timeout)) => {}
        }
        Ok(())
    }

    /// The right to make one more call, if one is to be made. While other runs of this process have all of them,
    /// somebody who has nothing else to do waits.
    async fn permit_to_call(&mut self, begun: usize) -> Result<Option<FairPermit>> {
        if !self.has_calls || !self.hands.has_room_for_call(begun) {
            return Ok(None);
        }
        let Some(Work::Begin(slot)) = self.next_work(&Wants::CALLS) else { return Ok(None) };
        if let Some(permit) = self.state.calls.try_acquire(&self.holder) {
            return Ok(Some(permit));
        }
        if begun > 0 || !self.tasks.is_empty() || self.next_work(&Wants::BUT_CALLS).is_some() {
            return Ok(None);
        }
        self.commit().await?;
        let timeout = self.session.machine().timeout(slot).unwrap_or_default();
        self.hands.listen();
        tokio::select! {
            permit = self.state.calls.acquire(&self.holder) => Ok(Some(permit)),
            () = self.hands.time_to_look(self.session.machine()) => {
                self.look().await;
                Ok(None)
            }
            () = sleep_until(latest_begin(self.until, timeout)) => Ok(None),
        }
    }
}
