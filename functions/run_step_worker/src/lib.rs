//! Moves runs: each message names one; whatever of it is ready is executed and committed. Messages may come
//! twice, late or for runs that are over: the run's row decides what is left to do.

mod calls;
mod drive;
mod hands;
mod loops;
mod prepare;
mod scope;

use shared::error::Kind;
use shared::ids::RunRef;
use shared::queue::{self, Wake};
use shared::run::{Command, Session};
use shared::{AppState, Error, Result};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

/// A message of the queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// Names it in the answer.
    pub id: String,
    /// What it says.
    pub body: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// Handles a batch, each message by itself, and returns the ids of those that failed: the queue will bring
/// them again. `until` is when this invocation ends.
pub async fn handle(
    state: &AppState,
    messages: impl IntoIterator<Item = Message>,
    until: Instant,
) -> Vec<String> {
    let mut tasks = JoinSet::new();
    let mut ids = std::collections::HashMap::new();
    for message in messages {
        let state = state.clone();
        let id = message.id.clone();
        // A task of its own: a panic fails one message, not the batch.
        let task = tasks.spawn(async move { Box::pin(one(&state, &message, until)).await });
        ids.insert(task.id(), id);
    }
    let mut failed = Vec::new();
    while let Some(ended) = tasks.join_next_with_id().await {
        let (task, ok) = match ended {
            Ok((task, ok)) => (task, ok),
            Err(panic) => (panic.id(), false),
        };
        if !ok {
            failed.extend(ids.remove(&task));
        }
    }
    failed
}

async fn one(state: &AppState, message: &Message, until: Instant) -> bool {
    let moved = match queue::parse(&message.body) {
        Ok(wake) => move_run(state, &wake, message.receive_count > 1, until).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &moved {
        tracing::error!(%error, message_id = message.id, body = message.body, "a message failed");
    }
    moved.is_ok()
}

async fn move_run(state: &AppState, wake: &Wake, again: bool, until: Instant) -> Result<()> {
    let run = &wake.run;
    let span = tracing::info_span!("drive", tenant_id = %run.place.tenant_id, run_id = %run.run_id);
    async move {
        let moved = drive::drive(state, wake, again, until).await;
        if let Err(Error { kind: Kind::Internal, .. }) = &moved {
            give_up(state, run).await?;
        }
        moved
    }
    .instrument(span)
    .await
}

/// What no further attempt will mend, such as a row that cannot be read, ends the run once it has stood still for
/// too long.
async fn give_up(state: &AppState, run: &RunRef) -> Result<()> {
    if let Some(mut session) = Session::load(state, run).await? {
        // Refused when it is over.
        let _ = session.perform(Command::GiveUp).await?;
    }
    Ok(())
}
