//! The queue that wakes workers. A message names a run and carries nothing else: whatever it is for can be
//! read from the run, so a lost message costs time and a doubled one costs a look.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;

use crate::ids::RunRef;
use crate::{Error, Result};

/// SQS delays no message for longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// The queue. Cloning shares the client.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue of this URL behind this client.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Asks for a worker for this run, not before `delay` has passed; longer delays than [`LONGEST_DELAY`] are
    /// cut to it, and the worker that comes too early asks again.
    ///
    /// # Errors
    /// Unavailable when SQS does not answer.
    pub async fn send(&self, run: &RunRef, delay: Duration) -> Result<()> {
        let seconds = delay.min(LONGEST_DELAY).as_millis().div_ceil(1000);
        let mut message = self.client.send_message().queue_url(&self.url).message_body(body(run)?);
        if seconds > 0 {
            message = message.delay_seconds(i32::try_from(seconds).unwrap_or(i32::MAX));
        }
        let sent = message.send().await;
        sent.map(|_| ())
            .map_err(|error| Error::unavailable("The queue", DisplayErrorContext(error).to_string()))
    }
}

/// A message's body.
///
/// # Errors
/// Never for a run that was read; the type says so because JSON says so.
pub fn body(run: &RunRef) -> Result<String> {
    serde_json::to_string(run).map_err(|error| Error::internal(error.to_string()))
}

/// The run that a message's body names.
///
/// # Errors
/// When the body is not one of ours.
pub fn parse(body: &str) -> Result<RunRef> {
    serde_json::from_str(body)
        .map_err(|error| Error::internal(format!("a message that cannot be read: {error}")))
}
