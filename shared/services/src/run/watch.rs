//! Waiting for a run to move. Inside one process a commit wakes those who wait; across processes they look
//! again from time to time. A wake-up is a hint: what counts is what the store says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use engine::RunStatus;
use platform::boxed;
use store::RunRecord;
use types::ids::RunRef;

/// What a commit told those who wait.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The status after the commit.
    pub status: RunStatus,
    /// The newest event.
    pub seq: u64,
    /// The whole run, when it ended: whoever waits for that need not read it again.
    pub ended: Option<Arc<RunRecord>>,
}

type Channel = watch::Sender<Option<Watched>>;

/// Those who wait for runs, by run. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct RunWatch {
    waiting: Arc<Mutex<HashMap<RunRef, Channel>>>,
}

impl RunWatch {
    /// Begins to wait: sees every commit from now on.
    pub fn subscribe(&self, run: &RunRef) -> Waiter {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = waiting.entry(run.clone()).or_insert_with(|| watch::channel(None).0).subscribe();
        Waiter { changes, run: run.clone(), of: self.clone() }
    }

    /// Whether anybody waits for this run.
    pub fn is_awaited(&self, run: &RunRef) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).contains_key(run)
    }

    /// Wakes those who wait for this run.
    pub fn publish(&self, run: &RunRef, change: Watched) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = waiting.get(run) {
            channel.send_replace(Some(change));
        }
    }
}

/// Somebody who waits for a run.
#[derive(Debug)]
pub struct Waiter {
    changes: watch::Receiver<Option<Watched>>,
    run: RunRef,
    of: RunWatch,
}

impl Waiter {
    /// The next change that was not seen yet.
    #[boxed]
    pub async fn changed(&mut self) -> Option<Watched> {
        if self.changes.changed().await.is_err() {
            // Only when the sender is gone, which lives as long as a waiter does.
            std::future::pending::<()>().await;
        }
        self.changes.borrow_and_update().clone()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.of.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // This receiver still counts.
        if waiting.get(&self.run).is_some_and(|channel| channel.receiver_count() <= 1) {
            waiting.remove(&self.run);
        }
    }
}
