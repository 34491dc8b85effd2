//! The poller that stands in for Lambda's: it receives messages, hands each to the worker, and deletes those
//! that were handled. A message that fails comes back when its visibility timeout is over, and goes to the
//! dead letters after a few times.
//!
//! Runs have permits, which are shared by tenant: what of a tenant has none stays in the queue, where it is in nobody's way.

use std::sync::Arc;
use std::time::Duration;

use shared::AppState;
use shared::platform::fair_semaphore::{Bounds, FairSemaphore};
use shared::platform::queue::{InProcessQueue, LARGEST_BATCH, LONGEST_WAIT, Queue, Receipt, counted_tenant};
use shared::worker::Received;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many runs are moved side by side.
const SIDE_BY_SIDE: usize = 64;
/// A pause after the queue did not answer.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Nothing ends a worker of this process, so it may take as long as it needs.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Polls until `stop` changes, then waits for what is under way.
pub async fn poll(state: AppState, queue: Arc<InProcessQueue>, mut stop: watch::Receiver<bool>) {
    let (handled, to_delete) = mpsc::channel(1024);
    let deleting = tokio::spawn(delete(Arc::clone(&queue), to_delete));
    let permits = FairSemaphore::new(Bounds::of_waits(SIDE_BY_SIDE));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        // What needs no permit has nothing for one.
        let admit = |group: &str| match counted_tenant(group) {
            Some(tenant) => permits.try_acquire(&(&tenant).into()).map(Some),
            None => Some(None),
        };
        let received = tokio::select! {
            received = queue.receive_admitted(LARGEST_BATCH, LONGEST_WAIT, admit) => received,
            () = permits.released() => continue,
            _ = stop.changed() => break,
        };
        match received {
            Ok(messages) => {
                for (message, permit) in messages {
                    let receipt = message.receipt.clone();
                    let received = Received { permit, ..message.into() };
                    tasks.spawn(handle(state.clone(), received, receipt, handled.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the queue does not answer");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    drop(handled);
    let _ = deleting.await;
}

async fn handle(state: AppState, received: Received, receipt: Receipt, handled: mpsc::Sender<Receipt>) {
    let failed = shared::worker::handle(&state, [received], Instant::now() + NEVER).await;
    if failed.is_empty() {
        // Only when the process ends is there nobody to delete it.
        let _ = handled.send(receipt).await;
    }
}

/// Deletes handled messages, as many at a time as have come together.
async fn delete(queue: Arc<InProcessQueue>, mut handled: mpsc::Receiver<Receipt>) {
    let mut receipts = Vec::with_capacity(LARGEST_BATCH);
    while handled.recv_many(&mut receipts, LARGEST_BATCH).await > 0 {
        if let Err(error) = queue.delete(&receipts).await {
            tracing::warn!(%error, "handled messages could not be deleted; they will come again");
        }
        receipts.clear();
    }
}
