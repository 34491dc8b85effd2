//! SQS in this process and in memory, reached through the SDK's HTTP client.
//!
//! Standard queues with delay, visibility timeout, long polling, batches and dead-letter queues. A waiting
//! receive wakes at the moment a message arrives, its delay ends or its visibility timeout runs out. The
//! end of the process empties the queues: every message can be derived from a row of the database, and the
//! sweep does so. MD5 digests are left out, which the SDK for Rust does not check, and retention periods
//! are kept but not applied.

mod error;
mod queue;
mod server;
mod wire;

use super::connector::{self, Unsigned};
use aws_sdk_sqs::config::{Builder, SharedHttpClient, SharedInterceptor};
pub use error::SqsError;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wire::Service;

/// A queue and the one that takes what it could not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePair {
    /// URL of the queue to send to and receive from.
    pub queue_url: String,
    /// URL of its dead-letter queue.
    pub dead_letter_queue_url: String,
}

/// SQS in this process. Cheap to clone; all clones share the same queues.
#[derive(Clone, Debug)]
pub struct EmbeddedSqs {
    service: Arc<Service>,
    http_client: SharedHttpClient,
}

impl EmbeddedSqs {
    /// Starts without queues.
    #[must_use]
    pub fn start() -> Self {
        let service = Arc::new(Service::default());
        let http_client = connector::http_client(Arc::clone(&service));
        Self { service, http_client }
    }

    /// The HTTP client that answers SQS requests from these queues.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        self.http_client.clone()
    }

    /// Settings of an SDK client on these queues, to which a caller may add its own.
    #[must_use]
    pub fn sdk_config(&self) -> Builder {
        Builder::from(&connector::sdk_config(self.http_client()))
            .auth_scheme_resolver(Unsigned)
            .allow_no_auth()
    }

    /// Creates queue `name` and its dead-letter queue `<name>-dlq`, to which a message goes after
    /// `max_receive_count` receives. `visibility_timeout`, in whole seconds, hides a received message from
    /// other receives. Queues of these names that exist already stay as they are.
    ///
    /// # Errors
    ///
    /// When a setting is outside the limits of SQS, or after shutdown.
    pub async fn create_queues(
        &self,
        name: &str,
        visibility_timeout: Duration,
        max_receive_count: u32,
    ) -> Result<QueuePair, SqsError> {
        let dead_letters = format!("{name}-dlq");
        let policy = json!({
            "deadLetterTargetArn": server::arn(&dead_letters),
            "maxReceiveCount": max_receive_count,
        });
        let attributes = BTreeMap::from([
            ("VisibilityTimeout".to_owned(), visibility_timeout.as_secs().to_string()),
            ("RedrivePolicy".to_owned(), policy.to_string()),
        ]);
        let dead_letter_queue_url = self.service.create(&dead_letters, BTreeMap::new())?;
        let queue_url = self.service.create(name, attributes)?;
        Ok(QueuePair { queue_url, dead_letter_queue_url })
    }

    /// Drops all queues. Waiting receives return empty at once; later requests fail.
    pub async fn shutdown(self) {
        self.service.close();
    }
}

/// An SDK client on `sqs` that also runs `interceptors` (fault injection, request counting).
#[must_use]
pub fn sqs_client(
    sqs: &EmbeddedSqs,
    interceptors: impl IntoIterator<Item = SharedInterceptor>,
) -> aws_sdk_sqs::Client {
    let mut config = sqs.sdk_config();
    for interceptor in interceptors {
        config.push_interceptor(interceptor);
    }
    aws_sdk_sqs::Client::from_conf(config.build())
}

#[cfg(test)]
mod tests;
