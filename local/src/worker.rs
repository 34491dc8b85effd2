//! The poller that stands in for Lambda's: it receives messages, hands each to the worker, and deletes those
//! that were handled. A message that fails comes back when its visibility timeout is over, and goes to the
//! dead-letter queue after a few times.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use shared::AppState;
use shared::platform::aws::long_poll;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many runs are moved side by side.
const SIDE_BY_SIDE: usize = 64;
/// What SQS hands out at most at once, and deletes at most at once.
const BATCH: usize = 10;
/// How long a request for messages waits for one.
const WAIT: Duration = Duration::from_secs(20);
/// A pause after the queue did not answer.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Nothing ends a worker of this process, so it may take as long as it needs.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Polls until `stop` changes, then waits for what is under way.
pub async fn poll(state: AppState, client: Client, mut stop: watch::Receiver<bool>) {
    let (handled, to_delete) = mpsc::channel(1024);
    let deleting = tokio::spawn(delete(client.clone(), state.config.queue_url.clone(), to_delete));
    let hands = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let free = tokio::select! {
            permit = Arc::clone(&hands).acquire_owned() => permit,
            _ = stop.changed() => break,
        };
        let Ok(first) = free else { break };
        let request = client
            .receive_message()
            .queue_url(&state.config.queue_url)
            .max_number_of_messages(i32::try_from(BATCH.min(hands.available_permits() + 1)).unwrap_or(1))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .wait_time_seconds(i32::try_from(WAIT.as_secs()).unwrap_or(20))
            .customize()
            .config_override(long_poll(WAIT));
        let received = tokio::select! {
            received = request.send() => received,
            _ = stop.changed() => break,
        };
        let mut permit = Some(first);
        match received {
            Ok(batch) => {
                for message in batch.messages.unwrap_or_default() {
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
                tracing::warn!(?error, "the queue does not answer");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    drop(handled);
    let _ = deleting.await;
}

async fn handle(state: &AppState, message: Message, handled: &mpsc::Sender<String>) {
    let attributes = message.attributes.unwrap_or_default();
    let attribute = |name: &str| attributes.get(&MessageSystemAttributeName::from(name)).map(String::as_str);
    let count = attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let Some(receipt) = message.receipt_handle else { return };
    let message = shared::worker::Message {
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        receive_count: count.unwrap_or(1),
    };
    let received = shared::worker::Received::with_attributes(message, attribute);
    let failed = shared::worker::handle(state, [received], Instant::now() + NEVER).await;
    if failed.is_empty() {
        // Only when the process ends is there nobody to delete it.
        let _ = handled.send(receipt).await;
    }
}

/// Deletes handled messages, as many at a time as have come together.
async fn delete(client: Client, queue_url: String, mut handled: mpsc::Receiver<String>) {
    let mut receipts = Vec::with_capacity(BATCH);
    while handled.recv_many(&mut receipts, BATCH).await > 0 {
        let entry = |(number, receipt): (usize, String)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(receipt)
                .build()
                .ok()
        };
        let entries: Vec<_> = receipts.drain(..).enumerate().filter_map(entry).collect();
        let request = client.delete_message_batch().queue_url(&queue_url).set_entries(Some(entries));
        if let Err(error) = request.send().await {
            tracing::warn!(?error, "handled messages could not be deleted; they will come again");
        }
    }
}
