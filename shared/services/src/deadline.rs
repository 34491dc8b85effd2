//! What has to be done at a time that has passed, as it stands in the deadline index: a run gets a message, a trigger
//! fires, a secret that nothing owns is destroyed, a plan goes on or ends.

use std::time::Duration;

use crate::billing::subscription;
use crate::custody::destroy_due;
use crate::state::AppState;
use crate::triggers::fire;
use platform::boxed;
use platform::metrics::Metric;
use platform::queue::Wake;
use store::{DEADLINE_SHARDS, Due, DueRow};
use types::clock::Timestamp;
use types::ids::RunRef;
use types::{Error, Result};

/// In how many shards the index is.
pub const SHARDS: u8 = DEADLINE_SHARDS;

/// When a run is looked at again if the message sent now leads to nothing.
const NEXT_LOOK: Duration = Duration::from_secs(60);

/// A row of the index whose time has passed.
#[derive(Debug, Clone)]
pub struct Overdue(DueRow);

impl Overdue {
    /// What tells it from all others, wherever it stands in the index.
    pub fn id(&self) -> String {
        self.0.id()
    }
}

/// A page of the index.
#[derive(Debug)]
pub struct OverduePage {
    /// The most overdue first.
    pub rows: Vec<Overdue>,
    /// The last place looked at, when there may be more behind it.
    pub next: Option<String>,
}

/// What of one shard has a time before `before`, behind the place `after`.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn page(
    state: &AppState,
    shard: u8,
    before: Timestamp,
    after: Option<&str>,
    limit: i32,
) -> Result<OverduePage> {
    let page = state.store.due(shard, before, after, limit).await?;
    Ok(OverduePage { rows: page.rows.into_iter().map(Overdue).collect(), next: page.next })
}

/// Does what is to be done, and returns how many runs were woken or started.
///
/// # Errors
/// When a store, the queue or the payment provider does not answer, or when it cannot be read what is to be done.
#[boxed]
pub async fn act_on(state: &AppState, overdue: &Overdue) -> Result<usize> {
    let row = &overdue.0;
    match &row.due {
        Due::Run(run) => wake(state, row, run).await,
        Due::Trigger(key) => fire(state, key).await,
        Due::Secret(secret) => destroy_due(state, secret).await.map(|()| 0),
        Due::Standing(tenant) => subscription::look(state, tenant).await.map(|()| 0),
        Due::Unknown => Err(Error::internal("a place in the deadline index that cannot be read")),
    }
}

/// What kept it from being acted on is told to the log, and it has its next turn later.
#[boxed]
pub async fn put_off(state: &AppState, overdue: &Overdue, error: &Error) {
    let row = &overdue.0;
    let position = row.position();
    tracing::error!(%error, position, "a deadline could not be acted on; it is put off");
    state.metrics.count(Metric::SweepFailures, &[]);
    if let Err(error) = state.store.defer(row, state.clock.now()).await {
        tracing::error!(%error, position, "nor could it be put off: the next sweep meets it again");
    }
}

/// Whoever moves the deadline sends the message: of two sweeps at once, one does. A crash between the two costs a
/// minute, after which the deadline has passed again; so does a queue that does not answer.
async fn wake(state: &AppState, row: &DueRow, run: &RunRef) -> Result<usize> {
    let next_look = state.clock.now().plus(NEXT_LOOK);
    if !state.store.postpone(row, next_look).await? {
        return Ok(0);
    }
    state.queue.send(&Wake::overdue(run.clone()), Duration::ZERO).await?;
    state.metrics.count(Metric::SweepRepairs, &[]);
    Ok(1)
}
