//! The poller that stands in for Lambda's: it receives messages, hands each to the worker, and deletes those
//! that were handled. A message that fails comes back when its visibility timeout is over, and goes to the
//! dead letters after a few times.

use std::sync::Arc;
use std::time::Duration;

use shared::AppState;
use shared::platform::queue::{LARGEST_BATCH, LONGEST_WAIT, Message, Queue, Receipt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many runs are moved side by side.
const SIDE_BY_SIDE: usize = 64;
/// A pause after the queue did not answer.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Nothing ends a worker of this process, so it may take as long as it needs.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Polls until `stop` changes, then waits for what is under way.
pub async fn poll(state: AppState, queue: Arc<dyn Queue>, mut stop: watch::Receiver<bool>) {
    let (handled, to_delete) = mpsc::channel(1024);
    let deleting = tokio::spawn(delete(Arc::clone(&queue), to_delete));
    let hands = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let free = tokio::select! {
            permit = Arc::clone(&hands).acquire_owned() => permit,
            _ = stop.changed() => break,
        };
        let Ok(first) = free else { break };
        let received = tokio::select! {
            received = queue.receive(hands.available_permits() + 1, LONGEST_WAIT) => received,
            _ = stop.changed() => break,
        };
        let mut permit = Some(first);
        match received {
            Ok(messages) => {
                for message in messages {
                    // There are as many permits as messages were asked for.
                    let permit = permit.take().or_else(|| Arc::clone(&hands).try_acquire_owned().ok());
                    let (state, handled) = (state.clone(), handled.clone());
                    tasks.spawn(async move {
                        handle(&state, message, &handled).await;
                        drop(permit);
                    });
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

async fn handle(state: &AppState, message: Message, handled: &mpsc::Sender<Receipt>) {
    let receipt = message.receipt.clone();
    let failed = shared::worker::handle(state, [message], Instant::now() + NEVER).await;
    if failed.is_empty() {
        // Only when the process ends is there nobody to delete it.
        let _ = handled.send(receipt).await;
    }
}

/// Deletes handled messages, as many at a time as have come together.
async fn delete(queue: Arc<dyn Queue>, mut handled: mpsc::Receiver<Receipt>) {
    let mut receipts = Vec::with_capacity(LARGEST_BATCH);
    while handled.recv_many(&mut receipts, LARGEST_BATCH).await > 0 {
        if let Err(error) = queue.delete(&receipts).await {
            tracing::warn!(%error, "handled messages could not be deleted; they will come again");
        }
        receipts.clear();
    }
}
