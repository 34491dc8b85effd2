//! A run that may be what its process died of is executed alone in the next one, and that it is, is written before anything
//! of it is done: see [`services::under_way`].

use std::time::Duration;

use tokio::time::Instant;

use super::held::Drive;
use engine::{Command, RunStatus};
use services::state::AppState;
use services::under_way::Turn;
use types::Result;
use types::ids::RunRef;

/// For how long at most a run keeps others from beginning.
const MAX_ALONE: Duration = Duration::from_secs(30);
/// For how much longer other processes keep off: what was begun ends, and is written.
const MARGIN: Duration = Duration::from_secs(60);

/// The turn of a run of which nothing is known yet; a suspect waits for its own until it is known what there is to do.
pub(super) async fn first_turn(state: &AppState, run: &RunRef, again: bool) -> Option<Turn> {
    // Where the process does not know what became of others, a message that comes again may have had another that died.
    let may_be = again && state.config.dead_before.is_none();
    if may_be || state.under_way.is_suspect(run) {
        return None;
    }
    Some(state.under_way.take_turn(run).await)
}

impl Drive {
    /// Finds out what became of those who were on the run before.
    pub(super) fn recover(&mut self) {
        let dead_before = self.state.config.dead_before;
        let in_order = self.state.under_way.was_ended_in_order();
        let process = self.state.under_way.process().to_owned();
        // Refused only when the run has ended, and then there is nothing to give up.
        let _ = self.session.apply(Command::Recover { process, dead_before, in_order });
        let _ = self.session.apply(Command::Reap { dead_before, in_order });
    }

    /// Waits for the run's turn; false when another process is alone with it.
    pub(super) async fn take_turn(&mut self, turn: Option<Turn>) -> Result<bool> {
        let machine = self.session.machine();
        if self.is_over() {
            return Ok(true);
        }
        if machine.is_alone_with_another(&self.owner) {
            drop(turn);
            self.commit().await?;
            return Ok(false);
        }
        // Nothing begins in a paused one.
        if turn.is_some() && (!machine.is_to_be_alone() || machine.run().status == RunStatus::Paused) {
            self.turn = turn;
            return Ok(true);
        }
        drop(turn);
        let key = machine.run().key.clone();
        let turn = self.state.under_way.take_turn_alone(&key).await;
        let is_alone = turn.is_alone();
        self.turn = Some(turn);
        self.claim_first = true;
        if is_alone { self.isolate().await } else { Ok(true) }
    }

    /// Writes that the run is alone.
    async fn isolate(&mut self) -> Result<bool> {
        let (owner, process) = (self.owner.clone(), self.state.under_way.process().to_owned());
        let until = self.state.clock.now().plus(MAX_ALONE + MARGIN);
        // What somebody else has done meanwhile is seen when it is written.
        let _ = self.session.apply(Command::Isolate { owner, process, until });
        self.commit().await?;
        if self.session.machine().is_alone_with(&self.owner) {
            self.alone_until = Some(Instant::now() + MAX_ALONE);
            return Ok(true);
        }
        self.turn = None;
        Ok(self.is_over())
    }

    /// It has been alone for long enough.
    pub(super) async fn let_others_begin(&mut self) {
        self.rejoin().await;
        self.state.under_way.is_cleared(&self.session.machine().run().key);
        if let Some(turn) = &mut self.turn {
            turn.lets_others_begin();
        }
    }

    /// The run has had its turn.
    pub(super) async fn end_turn(&mut self) {
        self.rejoin().await;
        self.state.under_way.is_cleared(&self.session.machine().run().key);
        self.turn = None;
    }

    async fn rejoin(&mut self) {
        if self.alone_until.take().is_none() {
            return;
        }
        // Refused when it is over, or others have taken it over.
        let _ = self.session.apply(Command::Rejoin { owner: self.owner.clone() });
        if let Err(error) = self.commit().await {
            tracing::warn!(%error, "that the run is not alone any more is not written; others find out by time");
        }
    }
}
