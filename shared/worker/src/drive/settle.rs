//! What has ended is settled.

use tokio::task::{Id, JoinError};

use super::hands::{Hand, hand};
use super::held::Drive;
use super::{observe, prepare};
use engine::{Command, FailureCode, Outcome, Slot};
use services::step::Performed;
use types::{Error, Result};

impl Drive {
    /// Settles what has ended, all of it at once: so that many short calls make few commits.
    pub(super) fn settle_all(&mut self, first: Result<(Id, (Slot, Performed)), JoinError>) -> Result<()> {
        let mut next = Some(first);
        while let Some(ended) = next {
            match ended {
                Ok((_, (slot, performed))) => self.settle(slot, performed),
                // Dropped: there is nothing to settle any more.
                Err(error) if error.is_cancelled() => {}
                Err(panic) => {
                    let Some(slot) = self.hands.call_of(panic.id()) else {
                        return Err(Error::internal(format!("a step's task: {panic}")));
                    };
                    tracing::error!(%panic, "the executor of a step broke down");
                    let error = "The step's executor broke down.";
                    self.settle(slot, Outcome::failure(FailureCode::DependencyUnavailable, error).into());
                }
            }
            // A commit holds what one may hold; the rest stays with its tasks until then.
            next = match self.holds_much() {
                true => None,
                false => self.tasks.try_join_next_with_id(),
            };
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, slot: Slot, performed: Performed) {
        self.owes_results |= hand(self.session.machine(), slot) == Hand::Call;
        self.hands.lets_go(slot);
        self.settled += 1;
        let Performed { mut outcome, log, tokens } = performed;
        observe::step_ended(&self.state, self.session.machine(), slot, &outcome);
        if self.session.machine().is_condition(slot) {
            outcome = prepare::decided(outcome);
        }
        if matches!(outcome, Outcome::Failure(_)) && slot.inner.is_some() {
            // It may have failed because the time of its round or its loop is up, and then that is the reason.
            let _ = self.session.apply(Command::Reap { dead_before: None, in_order: false });
        }
        let command = Command::Settle { slot, owner: self.owner.clone(), outcome, log, tokens };
        if let Err(refusal) = self.session.apply(command) {
            tracing::debug!(?refusal, "a late result is dropped");
        }
        self.note_news();
        // A failure may have ended what others were on.
        self.drop_what_is_not_ours();
    }
}
