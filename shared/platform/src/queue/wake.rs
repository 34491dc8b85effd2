//! What is sent through the queue of runs.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NewMessage, Queue};
use crate::trace::Trace;
use types::form::FORM;
use types::ids::{RunId, RunRef};
use types::{Error, Result};

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

/// The queue of runs, as those see it who want a run looked at. Cloning shares it.
#[derive(Debug, Clone)]
pub struct RunQueue(Arc<dyn Queue>);

impl RunQueue {
    /// Through this queue.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self(queue)
    }

    /// Asks for a worker for this run, not before `delay` has passed; longer delays than
    /// [`LONGEST_DELAY`](super::LONGEST_DELAY) are cut to it, and the worker that comes too early asks again.
    ///
    /// # Errors
    /// Unavailable when the queue does not answer.
    pub async fn send(&self, wake: &Wake, delay: Duration) -> Result<()> {
        let group = wake.run.place.tenant_id.to_string();
        let message = NewMessage { body: body(wake)?, group, trace: Trace::current() };
        self.0.send(&message, delay).await
    }
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
    serde_json::to_string(&Formed { v: FORM, wake }).map_err(Error::internal_from)
}

/// What a message's body says.
///
/// # Errors
/// When the body is not one of ours, or one that a later version of this program wrote.
pub fn parse(body: &str) -> Result<Wake> {
    let unreadable =
        |error: serde_json::Error| Error::internal("a message that cannot be read").with_source(error);
    let Form { v } = serde_json::from_str(body).map_err(unreadable)?;
    if let Some(form) = v.filter(|form| *form > FORM) {
        return Err(Error::newer("A message", form.into()));
    }
    serde_json::from_str(body).map_err(unreadable)
}
