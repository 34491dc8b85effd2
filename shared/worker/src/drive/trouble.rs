//! What a drive does when a store fails it: what is in flight goes on.

use tokio::time::sleep_until;

use super::held::Drive;
use platform::patience::Patience;
use types::{Error, Result};

impl Drive {
    /// Looks what others have done to the run. A look that fails ends nothing: the next one comes.
    pub(super) async fn look(&mut self) {
        match Patience::brief(self.until).around(self.session.look()).await {
            Ok(()) => self.drop_what_is_not_ours(),
            Err(error) => {
                tracing::warn!(%error, "the run could not be looked at; its calls go on");
                self.hands.looked();
            }
        }
    }

    /// After an error: what is in flight is awaited and written, and nothing else is begun.
    pub(super) async fn bring_home(&mut self, error: Error) -> Result<()> {
        while self.owes_results
            || self.unwritten_since.is_some()
            || !self.tasks.is_empty()
            || !self.begun.is_empty()
            || !self.begun_scripts.is_empty()
        {
            // What was begun in memory, scripts too, is written as begun with the rest, and so it is performed.
            let written = match self.commit().await {
                Ok(()) => {
                    self.perform_begun();
                    self.execute_begun().await
                }
                Err(again) => Err(again),
            };
            if let Err(again) = &written {
                tracing::warn!(error = %again, "what is in flight cannot be written yet");
            }
            if self.tasks.is_empty() || self.is_over() {
                break;
            }
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.settle_all(ended)?,
                () = self.hands.time_to_look(self.session.machine()) => self.look().await,
                () = sleep_until(self.until) => break,
            }
        }
        Err(error)
    }
}
