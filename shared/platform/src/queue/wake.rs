//! What is sent through the queue of runs.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NewMessage, Queue};
use crate::trace::Trace;
use types::form::FORM;
use types::ids::{RunId, RunRef, TenantId};
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
    /// The run has ended, and others are to be told or stopped, which takes no worker long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Wake {
    /// The run has something to do.
    pub fn ready(run: RunRef) -> Self {
        Self { run, child: None, overdue: false, ended: false }
    }

    /// The run's deadline has passed.
    pub fn overdue(run: RunRef) -> Self {
        Self { overdue: true, ..Self::ready(run) }
    }

    /// The run has ended, and others depend on it.
    pub fn ended(run: RunRef) -> Self {
        Self { ended: true, ..Self::ready(run) }
    }

    /// A child of the run has ended.
    pub fn child_ended(run: RunRef, child: RunId) -> Self {
        Self { child: Some(child), ..Self::ready(run) }
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
        let group = group(wake);
        let message = NewMessage { body: body(wake)?, group, trace: Trace::current() };
        self.0.send(&message, delay).await
    }
}

/// What a tenant's runs that have ended are told by, after its name: no backlog of its own holds them up either, and whoever
/// stops a run with everything below it need not wait for that.
const ENDED: &str = "/ended";

fn group(wake: &Wake) -> String {
    let tenant = &wake.run.place.tenant_id;
    if wake.ended { format!("{tenant}{ENDED}") } else { tenant.to_string() }
}

/// The tenant whose runs a message of this group counts among those under way; none when it only says that one has ended.
pub fn counted_tenant(group: &str) -> Option<TenantId> {
    group.parse().ok()
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
