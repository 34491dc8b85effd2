//! SQS. Nothing else in the workspace knows its SDK.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, Message as Received, MessageSystemAttributeName,
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use tokio::time::Instant;

use super::{
    LARGEST_BATCH, LONGEST_DELAY, LONGEST_VISIBILITY, LONGEST_WAIT, Message, NewMessage, Queue, Receipt,
};
use crate::aws::attempt_timeout;
use crate::trace::Trace;
use types::clock::Timestamp;
use types::{Error, Result};

/// How long an attempt may take. A message that is not sent costs a minute at most, because the sweep sends another.
const ATTEMPT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 2;
/// What an attempt to receive may take beyond the time that it waits for messages.
const BEYOND_WAIT: Duration = Duration::from_secs(5);
/// For how long nothing is sent to a queue that did not answer in time: what is not sent is found by the sweep.
const SILENCE: Duration = Duration::from_secs(10);
/// What SQS answers when a receipt is not the message's last one, or the message is gone.
const STALE: [&str; 4] = [
    "AWS.SimpleQueueService.MessageNotInflight",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "InvalidParameterValue",
];

/// A client that is made when it is first used, which most environments never do.
type LazyClient = LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>;

/// A standard queue of SQS. Its visibility timeout and its dead letters are settings of the queue itself.
#[derive(Debug)]
pub struct SqsQueue {
    client: LazyClient,
    url: String,
    /// Until then nothing is sent: the queue has just kept somebody waiting in vain.
    silent_until: Mutex<Option<Instant>>,
}

impl SqsQueue {
    /// The queue of this URL.
    pub fn new(sdk: SdkConfig, url: impl Into<String>) -> Self {
        let client = LazyClient::new(Box::new(move || client(&sdk)));
        Self { client, url: url.into(), silent_until: Mutex::default() }
    }

    fn silent_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.silent_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(sdk: &SdkConfig) -> Client {
    let config = Builder::from(sdk)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(attempt_timeout(ATTEMPT));
    Client::from_conf(config.build())
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, message: &NewMessage, delay: Duration) -> Result<()> {
        message.check()?;
        let mut request = self.client.send_message().queue_url(&self.url).message_body(&message.body);
        // On a standard queue a group is what SQS is fair to: nobody's backlog holds up the others.
        if !message.group.is_empty() {
            request = request.message_group_id(&message.group);
        }
        let delay = seconds(delay, LONGEST_DELAY);
        if delay > 0 {
            request = request.delay_seconds(delay);
        }
        if let Some(trace) = &message.trace {
            let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
            request = request.message_system_attributes(name, trace_value(trace)?);
        }
        // Each of a thousand starts would wait for the same silence.
        if self.silent_until().is_some_and(|until| Instant::now() < until) {
            return Err(Error::unavailable("The queue", "it did not answer a moment ago"));
        }
        let sent = request.send().await;
        let is_silent = matches!(sent, Err(SdkError::TimeoutError(_)));
        *self.silent_until() = is_silent.then(|| Instant::now() + SILENCE);
        sent.map(|_| ()).map_err(unavailable)
    }

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>> {
        let wait = wait.min(LONGEST_WAIT);
        let patient = Builder::new().timeout_config(attempt_timeout(wait + BEYOND_WAIT));
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.clamp(1, LARGEST_BATCH)).unwrap_or(1))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .wait_time_seconds(seconds(wait, LONGEST_WAIT))
            .customize()
            .config_override(patient);
        let received = request.send().await.map_err(unavailable)?;
        Ok(received.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<()> {
        for batch in receipts.chunks(LARGEST_BATCH) {
            let entry = |(number, Receipt(handle)): (usize, &Receipt)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(handle)
                    .build()
            };
            let entries: Result<Vec<_>, _> = batch.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(Error::internal_from)?;
            let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answered = request.send().await.map_err(unavailable)?;
            let is_stale = |entry: &&BatchResultErrorEntry| STALE.contains(&entry.code());
            if let Some(failed) = answered.failed().iter().find(|entry| !is_stale(entry)) {
                let why = failed.message().unwrap_or_default();
                return Err(Error::unavailable("The queue", format!("{}: {why}", failed.code())));
            }
        }
        Ok(())
    }

    async fn change_visibility(&self, receipt: &Receipt, timeout: Duration) -> Result<bool> {
        let request = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&receipt.0)
            .visibility_timeout(seconds(timeout, LONGEST_VISIBILITY));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code().is_some_and(|code| STALE.contains(&code)) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// Whole seconds, which SQS counts in; a part of one is a whole one, so that nothing comes too early.
fn seconds(time: Duration, most: Duration) -> i32 {
    i32::try_from(time.min(most).as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}

fn trace_value(trace: &Trace) -> Result<MessageSystemAttributeValue> {
    let value =
        MessageSystemAttributeValue::builder().data_type("String").string_value(trace.header()).build();
    value.map_err(Error::internal_from)
}

fn message(received: Received) -> Message {
    let attributes = received.attributes.unwrap_or_default();
    let attribute = |name| attributes.get(&name).map(String::as_str);
    let count = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at = attribute(MessageSystemAttributeName::SentTimestamp);
    Message {
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
        sent_at: sent_at.and_then(|millis| millis.parse().ok()).map(Timestamp::from_millis),
        trace: attribute(MessageSystemAttributeName::AwsTraceHeader).and_then(Trace::parse),
        id: received.message_id.unwrap_or_default(),
        body: received.body.unwrap_or_default(),
        receipt: Receipt(received.receipt_handle.unwrap_or_default()),
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable("The queue", "SQS").with_source(error)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
    use aws_types::region::Region;

    use super::*;

    /// Settings for services at a server that takes connections and never answers.
    fn silent() -> (TcpListener, SdkConfig) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .endpoint_url(format!("http://{}", server.local_addr().unwrap()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(crate::aws::http_client());
        (server, config.build())
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_does_not_answer_is_given_up_in_seconds_and_left_alone_for_some_more() {
        let (_server, config) = silent();
        let queue = SqsQueue::new(config, "http://queue/q");
        let message = NewMessage { body: "{}".to_owned(), group: "acme".to_owned(), trace: None };
        let sent = async || {
            let begun = Instant::now();
            queue.send(&message, Duration::ZERO).await.unwrap_err();
            begun.elapsed()
        };
        let first = sent().await;
        assert!(first >= ATTEMPT && first < Duration::from_secs(10), "{first:?}");
        assert_eq!(sent().await, Duration::ZERO, "each message waits for the same silence");
        tokio::time::advance(SILENCE).await;
        assert!(sent().await >= ATTEMPT, "nobody asks the queue any more");
    }
}
