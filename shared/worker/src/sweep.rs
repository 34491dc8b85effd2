//! Finds what has to be done at a time that has passed: runs that somebody must look at again (a lost message, a
//! worker that died, a retry that is due) get a message, triggers fire, secrets that nothing owns are destroyed, plans
//! go on or end. What has to be done with a run is not decided here: the worker reads it from the run.
//!
//! One row's trouble is that row's. What cannot be read, or not be acted on, is told to the log and put off; what is
//! behind it has its turn. Firing a trigger does not need the queue: its run is kept, and its message is sent when
//! the queue answers again.

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use platform::boxed;
use platform::patience::Patience;
use services::deadline::{self, Overdue};
use services::state::AppState;
use types::clock::Timestamp;
use types::{Error, Result};

const PAGE: i32 = 100;
/// A shard's backlog beyond this is left to the next sweep, so that one invocation ends in time.
const MOST_PAGES: usize = 50;
/// After this time a sweep begins nothing more, and tries nothing again.
const MAX_DURATION: Duration = Duration::from_secs(40);
/// How many rows of a shard are acted on at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Wakes every run whose deadline is before `before`, fires triggers, destroys secrets, and lets plans go on or end. All
/// but runs go by the clock whatever `before` is, so that taking up all runs, as the local process does when it starts,
/// touches none before its time.
/// Returns how many runs were woken or started. What could not be acted on is told to the log only.
///
/// # Errors
/// When the index cannot be read; what was not done is found again by the next sweep.
#[boxed]
pub async fn sweep(state: &AppState, before: Timestamp) -> Result<usize> {
    state.metrics.begin();
    let swept = sweep_all(state, before).await;
    state.metrics.flush(state.clock.now());
    swept
}

async fn sweep_all(state: &AppState, before: Timestamp) -> Result<usize> {
    let until = Instant::now() + MAX_DURATION;
    let mut shards = JoinSet::new();
    for shard in 0..deadline::SHARDS {
        let state = state.clone();
        shards.spawn(async move { sweep_shard(&state, shard, before, until).await });
    }
    let mut moved = 0;
    let mut failed = None;
    while let Some(ended) = shards.join_next().await {
        match ended.map_err(|error| Error::internal("a shard's sweep").with_source(error)) {
            Ok(Ok(count)) => moved += count,
            Ok(Err(error)) | Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(moved), Err)
}

async fn sweep_shard(state: &AppState, shard: u8, before: Timestamp, until: Instant) -> Result<usize> {
    let mut moved = 0;
    let mut after = None;
    // What was acted on stands further back, where a sweep of all deadlines meets it again.
    let mut met = HashSet::new();
    for _ in 0..MOST_PAGES {
        let page = deadline::page(state, shard, before, after.as_deref(), PAGE).await?;
        let mut rows = page.rows;
        rows.retain(|row| met.insert(row.id()));
        for batch in rows.chunks(SIDE_BY_SIDE) {
            if Instant::now() > until {
                tracing::warn!(shard, "a sweep ends before its shard does; the next one goes on");
                return Ok(moved);
            }
            moved += act_on_all(state, batch, until).await;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(moved)
}

async fn act_on_all(state: &AppState, batch: &[Overdue], until: Instant) -> usize {
    let mut acting = JoinSet::new();
    for row in batch {
        let (state, row) = (state.clone(), row.clone());
        acting.spawn(async move {
            // A task of its own, so that a panic is this row's as well.
            let acted = tokio::spawn({
                let (state, row) = (state.clone(), row.clone());
                Patience::brief(until).around(async move { deadline::act_on(&state, &row).await })
            });
            match acted.await.unwrap_or_else(|panic| Err(Error::internal(format!("a deadline: {panic}")))) {
                Ok(count) => count,
                Err(error) => {
                    Patience::brief(until).around(deadline::put_off(&state, &row, &error)).await;
                    0
                }
            }
        });
    }
    let mut moved = 0;
    while let Some(ended) = acting.join_next().await {
        moved += ended.unwrap_or_default();
    }
    moved
}
