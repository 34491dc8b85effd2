//! The queue that wakes workers: what a queue does ([`Queue`]), its two implementations, and what is sent through it.
//!
//! A message names a run, at most with why, and carries nothing else: whatever it is for can be read from the run, so
//! a lost message costs time and a doubled one costs a look.

mod in_process;
#[cfg(feature = "lambda")]
mod sqs;
mod wake;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::trace::Trace;
use types::clock::Timestamp;
use types::{Error, Result};

pub use in_process::InProcessQueue;
#[cfg(feature = "lambda")]
pub use sqs::SqsQueue;
pub use wake::{RunQueue, Wake, body, counted_tenant, parse};

/// The most bytes of a message's body.
pub const LARGEST_BODY: usize = 1024 * 1024;
/// How many messages are received at once at most.
pub const LARGEST_BATCH: usize = 10;
/// No message is delayed for longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);
/// No receiver waits for longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// No message is hidden for longer.
pub const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 3600);
/// How often a message is received before it goes to the dead letters. On AWS the redrive policy of `template.yaml`
/// says so.
pub const MOST_RECEIVES: u32 = 5;

/// A queue that hands out each message at least once, in no promised order.
///
/// A received message is hidden from other receivers for the queue's visibility timeout; unless it is deleted
/// meanwhile it comes back. One that was received as often as the queue allows goes to the dead letters instead.
#[async_trait]
pub trait Queue: Debug + Send + Sync {
    /// Adds a message, which nobody receives before `delay` has passed; a longer one than [`LONGEST_DELAY`] is cut to
    /// it.
    ///
    /// # Errors
    /// Unavailable when the queue does not answer, or has no room: the message may have been added all the same.
    /// Internal when the body is empty or larger than [`LARGEST_BODY`].
    async fn send(&self, message: &NewMessage, delay: Duration) -> Result<()>;

    /// Takes up to `most` messages, at most [`LARGEST_BATCH`]. When there is none it waits for one, at most for `wait`
    /// or [`LONGEST_WAIT`].
    ///
    /// # Errors
    /// Unavailable when the queue does not answer; messages that it has handed out come back.
    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>>;

    /// Deletes what was received. A message that was received again since stays: its receipt is another's.
    ///
    /// # Errors
    /// Unavailable when the queue does not answer; what was not deleted comes back.
    async fn delete(&self, receipts: &[Receipt]) -> Result<()>;

    /// Hides a received message for so long from now on, at most [`LONGEST_VISIBILITY`]; not at all when that is zero.
    /// False when the message is gone or was received again, so that it is no longer the caller's to hide.
    ///
    /// # Errors
    /// Unavailable when the queue does not answer.
    async fn change_visibility(&self, receipt: &Receipt, timeout: Duration) -> Result<bool>;
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// What it says.
    pub body: String,
    /// Whose it is: nobody's backlog holds up the messages of others.
    pub group: String,
    /// The trace of the work that sends it.
    pub trace: Option<Trace>,
}

impl NewMessage {
    /// What every queue asks of a message.
    fn check(&self) -> Result<()> {
        match self.body.len() {
            0 => Err(Error::internal("a message without a body; say what it is about")),
            1..=LARGEST_BODY => Ok(()),
            bytes => Err(Error::internal(format!(
                "a message of {bytes} bytes, and a queue takes {LARGEST_BODY}: keep what it is about in the store, and \
                 send where it stands"
            ))),
        }
    }
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Stays the same however often the message is received.
    pub id: String,
    /// What it says.
    pub body: String,
    /// Names this receipt of the message.
    pub receipt: Receipt,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// The trace of the work that sent it.
    pub trace: Option<Trace>,
}

/// What a message is deleted or hidden by: names the message as it was received last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(String);
