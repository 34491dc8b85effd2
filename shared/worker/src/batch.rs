//! A batch of messages: each names a run; whatever of it is ready is executed and committed. Messages may come
//! twice, late or for runs that are over: the run's row decides what is left to do.

use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::drive::drive;
use engine::Command;
use platform::boxed;
use platform::fair_semaphore::FairPermit;
use platform::metrics::Metric;
use platform::patience::Patience;
use platform::queue::{self, Wake};
use platform::trace::Trace;
use services::run::Session;
use services::state::AppState;
use types::clock::Timestamp;
use types::error::Kind;
use types::ids::RunRef;
use types::{Error, Result};

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

/// A message, and what the queue says of it.
#[derive(Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// The trace of the work that sent it.
    pub trace: Option<Trace>,
    /// What lets its run be moved beside others, where somebody counts them; lent while the run waits for calls.
    pub permit: Option<FairPermit>,
}

impl Received {
    /// With the system attributes of SQS, by their names.
    pub fn with_attributes<'a>(message: Message, attribute: impl Fn(&str) -> Option<&'a str>) -> Self {
        let sent_at = attribute("SentTimestamp").and_then(|millis| millis.parse().ok());
        Self {
            message,
            sent_at: sent_at.map(Timestamp::from_millis),
            trace: attribute("AWSTraceHeader").and_then(Trace::parse),
            permit: None,
        }
    }
}

impl From<queue::Message> for Received {
    fn from(message: queue::Message) -> Self {
        let queue::Message { id, body, receive_count, sent_at, trace, .. } = message;
        Self { message: Message { id, body, receive_count }, sent_at, trace, permit: None }
    }
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        Self { message, sent_at: None, trace: None, permit: None }
    }
}

/// Handles a batch, each message by itself, and returns the ids of those that failed: the queue will bring
/// them again. `until` is when this invocation ends.
pub async fn handle(
    state: &AppState,
    messages: impl IntoIterator<Item = impl Into<Received>>,
    until: Instant,
) -> Vec<String> {
    handle_all(state, messages.into_iter().map(Into::into).collect(), until).await
}

#[boxed]
async fn handle_all(state: &AppState, messages: Vec<Received>, until: Instant) -> Vec<String> {
    state.metrics.begin();
    let mut tasks = JoinSet::new();
    let mut ids = std::collections::HashMap::new();
    for received in messages {
        let state = state.clone();
        let id = received.message.id.clone();
        // A task of its own: a panic fails one message, not the batch.
        let task = tasks.spawn(async move { one(&state, received, until).await });
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
    state.metrics.flush(state.clock.now());
    failed
}

/// Whether the message is done with.
async fn one(state: &AppState, received: Received, until: Instant) -> bool {
    let Received { message, sent_at, trace, permit } = received;
    if let Some(sent_at) = sent_at {
        state.metrics.time(Metric::QueueAge, &[], state.clock.now().since(sent_at));
    }
    let span = span_of(&message, trace.as_ref());
    let work = async {
        let moved = match queue::parse(&message.body) {
            Ok(wake) => move_run(state, &wake, message.receive_count > 1, until, permit).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &moved {
            tracing::error!(%error, body = message.body, "a message failed");
        }
        moved.is_ok()
    };
    Trace::around(trace, work.instrument(span)).await
}

/// What every line of the log says that comes of a message. Its tenant and run are known once it is read.
fn span_of(message: &Message, trace: Option<&Trace>) -> Span {
    let id = &message.id;
    let span =
        tracing::info_span!("message", message_id = id, tenant_id = Empty, run_id = Empty, trace_id = Empty);
    if let Some(trace) = trace {
        span.record("trace_id", trace.id());
    }
    span
}

async fn move_run(
    state: &AppState,
    wake: &Wake,
    again: bool,
    until: Instant,
    permit: Option<FairPermit>,
) -> Result<()> {
    let run = &wake.run;
    let span = Span::current();
    span.record("tenant_id", run.place.tenant_id.as_str());
    span.record("run_id", tracing::field::display(run.run_id));
    let patience = Patience::of_worker(until);
    let work = async {
        let moved = drive(state, wake, again, until, &patience, permit).await;
        if let Err(Error { kind: Kind::Internal, .. }) = &moved {
            give_up(state, run).await?;
        }
        moved
    };
    patience.clone().around(work).await
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
