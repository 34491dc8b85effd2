//! Finds what has to be done at a time that has passed: runs that somebody must look at again (a lost message, a
//! worker that died, a retry that is due) get a message, triggers fire, secrets that nothing owns are destroyed, plans
//! go on or end. What has to be done with a run is not decided here: the worker reads it from the run.

mod trigger;

use std::collections::HashSet;
use std::time::Duration;

use shared::billing::subscription;
use shared::clock::Timestamp;
use shared::error::Kind;
use shared::metrics::Metric;
use shared::queue::Wake;
use shared::secrets::destroy_due;
use shared::store::{DEADLINE_SHARDS, Due, DueRun};
use shared::{AppState, Error, Result};
use tokio::task::JoinSet;

/// When a run is looked at again if the message sent now leads to nothing.
const NEXT_LOOK: Duration = Duration::from_secs(60);
const PAGE: i32 = 100;
/// A shard's backlog beyond this is left to the next sweep, so that one invocation ends in time.
const MOST_PAGES: usize = 50;
/// How many runs and triggers of a shard are acted on at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Wakes every run whose deadline is before `before`, fires triggers, destroys secrets, and lets plans go on or end. All
/// but runs go by the clock whatever `before` is, so that taking up all runs, as the local process does when it starts,
/// touches none before its time.
/// Returns how many runs were woken or started.
///
/// # Errors
/// When a store or the queue does not answer; what was not done is found again by the next sweep.
pub async fn sweep(state: &AppState, before: Timestamp) -> Result<usize> {
    state.metrics.begin();
    let swept = sweep_all(state, before).await;
    state.metrics.flush(state.clock.now());
    swept
}

async fn sweep_all(state: &AppState, before: Timestamp) -> Result<usize> {
    let mut shards = JoinSet::new();
    for shard in 0..DEADLINE_SHARDS {
        let state = state.clone();
        shards.spawn(async move { sweep_shard(&state, shard, before).await });
    }
    let mut moved = 0;
    let mut failed = None;
    while let Some(ended) = shards.join_next().await {
        match ended.map_err(|error| Error::internal(format!("a shard's sweep: {error}"))) {
            Ok(Ok(count)) => moved += count,
            Ok(Err(error)) | Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(moved), Err)
}

async fn sweep_shard(state: &AppState, shard: u8, before: Timestamp) -> Result<usize> {
    let mut moved = 0;
    let mut failed = None;
    let mut after = None;
    // A run that was woken stands further back, where a sweep of all deadlines meets it again.
    let mut woken = HashSet::new();
    for _ in 0..MOST_PAGES {
        let page = state.store.due(shard, before, after.as_deref(), PAGE).await?;
        let fresh = |due: &Due| match due {
            Due::Run(due) => woken.insert(due.run.clone()),
            Due::Trigger(_) | Due::Secret(_) | Due::Standing(_) => true,
        };
        let mut due: Vec<Due> = page.due;
        due.retain(fresh);
        for batch in due.chunks(SIDE_BY_SIDE) {
            for acted in act_on(state, batch).await {
                match acted {
                    Ok(count) => moved += count,
                    // One row that cannot be acted on does not keep the others waiting; a store that does not
                    // answer keeps all of them.
                    Err(error) => {
                        tracing::error!(%error, shard, "a deadline could not be acted on");
                        let down = matches!(error.kind, Kind::Unavailable { .. });
                        failed = Some(error);
                        if down {
                            return failed.map_or(Ok(moved), Err);
                        }
                    }
                }
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    failed.map_or(Ok(moved), Err)
}

async fn act_on(state: &AppState, batch: &[Due]) -> Vec<Result<usize>> {
    let mut acting = JoinSet::new();
    for due in batch {
        let (state, due) = (state.clone(), due.clone());
        acting.spawn(async move {
            match due {
                Due::Run(run) => wake(&state, &run).await,
                Due::Trigger(key) => trigger::fire(&state, &key).await,
                Due::Secret(secret) => destroy_due(&state, &secret).await.map(|()| 0),
                Due::Standing(tenant) => subscription::look(&state, &tenant).await.map(|()| 0),
            }
        });
    }
    let mut results = Vec::with_capacity(batch.len());
    while let Some(ended) = acting.join_next().await {
        results.push(ended.unwrap_or_else(|error| Err(Error::internal(format!("a deadline: {error}")))));
    }
    results
}

/// Whoever moves the deadline sends the message: of two sweeps at once, one does. A crash between the two costs a
/// minute, after which the deadline has passed again.
async fn wake(state: &AppState, due: &DueRun) -> Result<usize> {
    let next_look = state.clock.now().plus(NEXT_LOOK);
    if !state.store.postpone(due, next_look).await? {
        return Ok(0);
    }
    state.queue.send(&Wake::overdue(due.run.clone()), Duration::ZERO).await?;
    state.metrics.count(Metric::SweepRepairs, &[]);
    Ok(1)
}
