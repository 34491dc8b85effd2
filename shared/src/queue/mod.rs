//! The queue that wakes workers. A message names a run, at most with why, and carries nothing else: whatever it
//! is for can be read from the run, so a lost message costs time and a doubled one costs a look.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use serde::{Deserialize, Serialize};

use crate::ids::{RunId, RunRef};
use crate::{Error, Result};

/// SQS delays no message for longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A message: look at this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// The run.
    #[serde(flatten)]
    pub run: RunRef,
    /// A child run of it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
    /// Nobody has looked in time, so that whatever the run waits for has to be looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
}

impl Wake {
    /// The run has something to do.
    pub fn ready(run: RunRef) -> Self {
        Self { run, child: None, overdue: false }
    }

    /// The run's deadline has passed.
    pub fn overdue(run: RunRef) -> Self {
        Self { run, child: None, overdue: true }
    }

    /// A child of the run has ended.
    pub fn child_ended(run: RunRef, child: RunId) -> Self {
        Self { run, child: Some(child), overdue: false }
    }
}

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
    pub async fn send(&self, wake: &Wake, delay: Duration) -> Result<()> {
        let seconds = delay.min(LONGEST_DELAY).as_millis().div_ceil(1000);
        let mut message = self.client.send_message().queue_url(&self.url).message_body(body(wake)?);
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
/// Never; the type says so because JSON says so.
pub fn body(wake: &Wake) -> Result<String> {
    serde_json::to_string(wake).map_err(|error| Error::internal(error.to_string()))
}

/// What a message's body says.
///
/// # Errors
/// When the body is not one of ours.
pub fn parse(body: &str) -> Result<Wake> {
    serde_json::from_str(body)
        .map_err(|error| Error::internal(format!("a message that cannot be read: {error}")))
}
