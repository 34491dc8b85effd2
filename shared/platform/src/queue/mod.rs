//! The queue that wakes workers. A message names a run, at most with why, and carries nothing else: whatever it
//! is for can be read from the run, so a lost message costs time and a doubled one costs a look.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, SdkError};
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use serde::{Deserialize, Serialize};

use crate::aws::Call;
use crate::trace::Trace;
use types::form::FORM;
use types::ids::{RunId, RunRef};
use types::{Error, Result};

/// SQS delays no message for longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// For how long nothing is sent to a queue that did not answer in time: what is not sent is found by the sweep.
const SILENCE: Duration = Duration::from_secs(10);

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

/// A client that is made when the first message is sent, which most environments never do.
pub type LazyClient = LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>;

/// A client that is there already.
pub fn ready(client: Client) -> LazyClient {
    LazyClient::new(Box::new(|| client))
}

/// The queue. Cloning shares the client.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Arc<LazyClient>,
    url: String,
    /// Until then nothing is sent: the queue has just kept somebody waiting in vain.
    silent_until: Arc<Mutex<Option<Instant>>>,
}

impl Queue {
    /// The queue of this URL behind this client.
    pub fn new(client: LazyClient, url: impl Into<String>) -> Self {
        Self { client: Arc::new(client), url: url.into(), silent_until: Arc::default() }
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
        if let Some(trace) = Trace::current() {
            let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
            message = message.message_system_attributes(name, trace_value(&trace)?);
        }
        // Each of a thousand starts would wait for the same silence.
        if self.silent_until().is_some_and(|until| Instant::now() < until) {
            return Err(Error::unavailable("The queue", "it did not answer a moment ago"));
        }
        let sent = message.call().await;
        let is_silent = matches!(sent, Err(SdkError::TimeoutError(_)));
        *self.silent_until() = is_silent.then(|| Instant::now() + SILENCE);
        sent.map(|_| ())
            .map_err(|error| Error::unavailable("The queue", DisplayErrorContext(error).to_string()))
    }

    fn silent_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.silent_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn trace_value(trace: &Trace) -> Result<MessageSystemAttributeValue> {
    let value =
        MessageSystemAttributeValue::builder().data_type("String").string_value(trace.header()).build();
    value.map_err(|error| Error::internal(error.to_string()))
}

/// A message as it is sent: with the form in which it is written.
#[derive(Serialize)]
struct Formed<'a> {
    v: u32,
    #[serde(flatten)]
    wake: &'a Wake,
}

/// The form of a message, whatever else it holds; the first one did not say.
#[derive(Deserialize)]
struct Form {
    v: Option<u32>,
}

/// A message's body.
///
/// # Errors
/// Never; the type says so because JSON says so.
pub fn body(wake: &Wake) -> Result<String> {
    serde_json::to_string(&Formed { v: FORM, wake }).map_err(|error| Error::internal(error.to_string()))
}

/// What a message's body says.
///
/// # Errors
/// When the body is not one of ours, or one that a later version of this program wrote.
pub fn parse(body: &str) -> Result<Wake> {
    let unreadable =
        |error: serde_json::Error| Error::internal(format!("a message that cannot be read: {error}"));
    let Form { v } = serde_json::from_str(body).map_err(unreadable)?;
    if let Some(form) = v.filter(|form| *form > FORM) {
        return Err(Error::newer("A message", form.into()));
    }
    serde_json::from_str(body).map_err(unreadable)
}
