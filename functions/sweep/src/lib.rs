//! Finds runs whose deadline has passed (a lost message, a worker that died, a retry that is due) and sends a
//! message for each. What has to be done with a run is not decided here: the worker reads it from the run.

use std::time::Duration;

use shared::clock::Timestamp;
use shared::queue::Wake;
use shared::store::DEADLINE_SHARDS;
use shared::{AppState, Error, Result};
use tokio::task::JoinSet;

/// When a run is looked at again if the message sent now leads to nothing.
const NEXT_LOOK: Duration = Duration::from_secs(60);
const PAGE: i32 = 100;
/// A shard's backlog beyond this is left to the next sweep, so that one invocation ends in time.
const MOST_PAGES: usize = 50;

/// Wakes every run whose deadline is before `before`, and returns how many those were.
///
/// # Errors
/// When a store or the queue does not answer; what was not woken is found again by the next sweep.
pub async fn sweep(state: &AppState, before: Timestamp) -> Result<usize> {
    let mut shards = JoinSet::new();
    for shard in 0..DEADLINE_SHARDS {
        let state = state.clone();
        shards.spawn(async move { sweep_shard(&state, shard, before).await });
    }
    let mut woken = 0;
    let mut failed = None;
    while let Some(ended) = shards.join_next().await {
        match ended.map_err(|error| Error::internal(format!("a shard's sweep: {error}"))) {
            Ok(Ok(count)) => woken += count,
            Ok(Err(error)) | Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(woken), Err)
}

async fn sweep_shard(state: &AppState, shard: u8, before: Timestamp) -> Result<usize> {
    let mut woken = 0;
    for _ in 0..MOST_PAGES {
        let due = state.store.due_runs(shard, before, PAGE).await?;
        let mut moved = 0;
        for run in &due {
            // Whoever moves the deadline sends the message: of two sweeps at once, one does. A crash between
            // the two costs a minute, after which the deadline has passed again.
            let next_look = state.clock.now().plus(NEXT_LOOK);
            if state.store.postpone(run, next_look).await? {
                moved += 1;
                state.queue.send(&Wake::overdue(run.run.clone()), Duration::ZERO).await?;
            }
        }
        woken += moved;
        // Rows that did not move belong to another sweep, or the index is behind: asking again at once would
        // bring them again.
        if due.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) || moved == 0 {
            break;
        }
    }
    Ok(woken)
}
