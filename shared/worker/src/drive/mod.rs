//! Driving one run as far as this invocation can: begin what is ready, settle what ends, commit in groups,
//! hand over what is left.
//!
//! Scripts touch nothing outside their run, so they are executed before anybody has claimed them: until the
//! commit nobody has seen anything, and a crash runs them again. Four cases claim first: another worker is on
//! the run too, this one has asked for help, the message has been here before, or the run is alone in this process because
//! one may have died of it (`alone`).
//!
//! Steps with an effect outside are always claimed first, and all that happened before is written with the claim:
//! one write begins a call, the next one settles it (and begins what follows).
//!
//! What a call brought has been paid for, and is never paid for again because something else cannot be done just now: a
//! store that does not answer is waited for until the calls' leases end (`platform::patience`), and an error anywhere in a
//! run leaves what is in flight alone until it has ended and is written.

mod alone;
mod begin;
mod children;
mod execute;
mod hands;
mod held;
mod loops;
mod observe;
mod others;
mod prepare;
mod scope;
mod settle;
mod trouble;

use tokio::time::{Instant, sleep_until};

use self::hands::Wants;
use self::held::{Drive, LONGEST_UNWRITTEN};
use engine::Slot;
use platform::fair_semaphore::FairPermit;
use platform::patience::Patience;
use platform::queue::Wake;
use services::run::Session;
use services::state::AppState;
use services::under_way::Turn;
use types::Result;
use types::ids::RunId;

/// Moves a run as far as it goes. `again` says that the message has been delivered before; `permit` lets it be moved beside
/// others.
pub(crate) async fn drive(
    state: &AppState,
    wake: &Wake,
    again: bool,
    until: Instant,
    patience: &Patience,
    permit: Option<FairPermit>,
) -> Result<()> {
    let run = &wake.run;
    // What has ended needs no turn, and whoever stops it does not wait for one.
    let mut turn = match wake.ended {
        true => None,
        false => alone::first_turn(state, run, again).await,
    };
    let Some(mut session) = Session::load_to_work(state, run).await? else {
        state.under_way.is_cleared(run);
        tracing::warn!("a message names a run that does not exist");
        return Ok(());
    };
    if session.machine().run().status.is_terminal() {
        state.under_way.is_cleared(run);
        return children::after_the_end(state, &mut session).await;
    }
    if wake.ended {
        turn = alone::first_turn(state, run, again).await;
    }
    let mut drive = Drive::new(state, session, again, until, patience).await?;
    drive.permit = permit;
    drive.run(wake, again, turn).await
}

impl Drive {
    async fn run(mut self, wake: &Wake, again: bool, turn: Option<Turn>) -> Result<()> {
        self.recover();
        if wake.overdue {
            self.session.was_overdue();
        }
        if !self.take_turn(turn).await? {
            return Ok(());
        }
        // What cannot be seen of a child does not hold up the rest of the run.
        let unseen = self.look_at_children(wake, again).await;
        let ended = match self.go_on().await {
            Ok(()) => Ok(()),
            Err(error) => self.bring_home(error).await,
        };
        self.hands.drop_all();
        self.end_turn().await;
        ended?;
        if self.is_over() {
            return children::after_the_end(&self.state, &mut self.session).await;
        }
        children::stop_orphans(&self.state, &mut self.session).await?;
        self.hand_over().await?;
        unseen
    }

    /// Looks at the child that has ended; at all of them when a message may have been lost.
    async fn look_at_children(&mut self, wake: &Wake, again: bool) -> Result<()> {
        let children: Vec<(Slot, RunId)> = self.session.machine().children().collect();
        let mut looked = Ok(());
        for (slot, child) in children {
            if wake.overdue || again || wake.child == Some(child) {
                looked = looked.and(children::look(&self.state, &mut self.session, slot, child).await);
            }
        }
        looked
    }

    async fn go_on(&mut self) -> Result<()> {
        while self.takes_turn().await? {}
        Ok(())
    }

    /// Begins what is ready, and waits for the next thing that happens; false when there is nothing to wait for.
    async fn takes_turn(&mut self) -> Result<bool> {
        self.begin_ready().await?;
        self.note_news();
        if self.tasks.is_empty() {
            if let Some(slot) = self.next_script() {
                self.wait_for_script_permit(slot).await?;
                return Ok(true);
            }
            self.commit().await?;
            self.call_children().await?;
            // The commit may have met another worker's, which made something else ready.
            return Ok(self.next_work(&Wants::ALL).is_some() || self.session.has_news());
        }
        let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
        if let Some(permit) = self.permit.as_mut().filter(|_| self.hands.is_only_calling()) {
            permit.lend();
        }
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => self.settle_all(ended)?,
            () = sleep_until(flush_at.unwrap_or(self.until)), if flush_at.is_some() => {
                self.commit().await?;
                self.ask_for_help().await;
            }
            () = sleep_until(self.alone_until.unwrap_or(self.until)), if self.alone_until.is_some() => {
                self.let_others_begin().await;
            }
            () = self.hands.time_to_look(self.session.machine()), if !self.tasks.is_empty() => {
                self.look().await;
            }
        }
        if let Some(permit) = &mut self.permit {
            permit.take_back();
        }
        if self.is_over() {
            self.commit().await?;
            return Ok(false);
        }
        self.commit_if_much().await?;
        Ok(true)
    }

    /// Starts the child runs that steps wait for, now that this is written.
    async fn call_children(&mut self) -> Result<()> {
        let children = std::mem::take(&mut self.to_call);
        children::call(&self.state, &mut self.session, children).await
    }
}
