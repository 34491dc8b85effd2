//! What other workers are told: to help while this one is at work, and to go on where it ends.

use std::time::Duration;

use super::hands::{Hand, SCRIPTS_SIDE_BY_SIDE, hand};
use super::held::Drive;
use platform::queue::{LONGEST_DELAY, Wake};
use types::Result;

/// The most helpers one worker asks for: with them a hundred scripts of one run are executed at a time.
const MOST_HELPERS: usize = 25;
/// What a worker would take for the steps that wait, for each helper that it asks for.
const WORTH_A_HELPER: Duration = Duration::from_secs(2);

impl Drive {
    /// Steps that wait while all hands are full are offered to other workers, once, if this one would be long
    /// at them: workers on one run get in each other's way, and what takes milliseconds is done sooner alone.
    pub(super) async fn ask_for_help(&mut self) {
        let machine = self.session.machine();
        let is_script = |slot| hand(machine, slot) == Hand::Script;
        let waiting = machine.count_ready_of(self.state.clock.now(), is_script);
        if self.asked_for_help || waiting < SCRIPTS_SIDE_BY_SIDE {
            return;
        }
        let per_script = self.since.elapsed() / u32::try_from(self.settled).unwrap_or(u32::MAX).max(1);
        let alone = per_script * u32::try_from(waiting).unwrap_or(u32::MAX);
        let by_time = alone.as_millis() / WORTH_A_HELPER.as_millis();
        let helpers = usize::try_from(by_time)
            .unwrap_or(usize::MAX)
            .min(waiting / SCRIPTS_SIDE_BY_SIDE)
            .min(MOST_HELPERS);
        if helpers == 0 {
            return;
        }
        self.asked_for_help = true;
        self.claim_first = true;
        for _ in 0..helpers {
            self.send(Duration::ZERO).await;
        }
    }

    /// Sees to it that somebody goes on where this invocation ends.
    pub(super) async fn hand_over(&mut self) -> Result<()> {
        let machine = self.session.machine();
        if self.is_over() {
            return Ok(());
        }
        let now = self.state.clock.now();
        if self.out_of_time || machine.next_work(now).is_some() {
            self.send(Duration::ZERO).await;
        } else if let Some(change) = machine.next_change()
            && Some(change) != self.known_change
            && change.since(now) <= LONGEST_DELAY
        {
            self.send(change.since(now)).await;
        }
        Ok(())
    }

    async fn send(&self, delay: Duration) {
        let wake = Wake::ready(self.session.machine().run().key.clone());
        if let Err(error) = self.state.queue.send(&wake, delay).await {
            tracing::warn!(%error, "no message could be sent; the run's deadline stands in for it");
        }
    }
}
