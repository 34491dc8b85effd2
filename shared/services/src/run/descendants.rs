//! How many runs come of one: it, those that its steps call, and theirs are counted together, in a row of the first one's.
//! They are counted before they are started, so that no crash starts more than were counted; after one they may be counted
//! twice.

use super::session::Session;
use crate::state::AppState;
use engine::Root;
use platform::boxed;
use types::Result;
use types::ids::RunRef;
use types::quotas::Quota;

/// Counts further runs that the steps of this one call. Returns the run that all of this came of, and for how many there
/// was room.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn room_for_descendants(
    state: &AppState,
    session: &Session,
    wanted: usize,
) -> Result<(Root, usize)> {
    let root = root(state, session).await?;
    let key = RunRef { place: session.machine().run().key.place.clone(), run_id: root.run_id };
    let most = state.config.quotas.get(Quota::Descendants);
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let room = state.store.count_descendants(&key, root.retry, wanted, most).await?;
    Ok((root, usize::try_from(room).unwrap_or(usize::MAX)))
}

/// Runs of before it was noted are asked for their parents.
async fn root(state: &AppState, session: &Session) -> Result<Root> {
    let run = session.machine().run();
    let mut root = Root { run_id: run.key.run_id, retry: run.retries };
    let mut parent = run.parent.clone();
    while let Some(caller) = parent {
        if let Some(root) = caller.root {
            return Ok(root);
        }
        let key = RunRef { place: run.key.place.clone(), run_id: caller.run_id };
        // One that is gone counts as the root.
        let found = state.store.run(&key).await?.map(|record| record.run);
        root = Root { run_id: caller.run_id, retry: found.as_ref().map_or(0, |run| run.retries) };
        parent = found.and_then(|run| run.parent);
    }
    Ok(root)
}
