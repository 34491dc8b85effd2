//! The queues by name, and who waits for their messages.

use super::super::connector::REGION;
use super::error::SqsError;
use super::queue::{Message, Now, Queue, Settings};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

const ACCOUNT: &str = "000000000000";

/// The URL of the queue of this name.
pub(super) fn url(name: &str) -> String {
    format!("http://sqs.embedded.invalid/{ACCOUNT}/{name}")
}

/// The ARN of the queue of this name.
pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", REGION)
}

/// All queues. Ends their timers when dropped.
#[derive(Debug, Default)]
pub(super) struct Server {
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    by_name: BTreeMap<String, Arc<Channel>>,
    timers: JoinSet<()>,
    closed: bool,
}

impl Server {
    /// The queue of this name, created with `settings` unless it exists. Runs on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`SqsError::Closed`] after [`Server::close`].
    pub(super) fn create(&self, name: &str, settings: Settings) -> Result<Arc<Channel>, SqsError> {
        let mut queues = lock(&self.queues);
        if queues.closed {
            return Err(SqsError::Closed);
        }
        if let Some(existing) = queues.by_name.get(name) {
            return Ok(Arc::clone(existing));
        }
        let channel = Arc::new(Channel::new(name, settings));
        queues.by_name.insert(name.to_owned(), Arc::clone(&channel));
        queues.timers.spawn(Arc::clone(&channel).keep_time());
        Ok(channel)
    }

    /// The queue of this name.
    ///
    /// # Errors
    ///
    /// [`SqsError::Closed`] after [`Server::close`].
    pub(super) fn find(&self, name: &str) -> Result<Option<Arc<Channel>>, SqsError> {
        let queues = lock(&self.queues);
        if queues.closed { Err(SqsError::Closed) } else { Ok(queues.by_name.get(name).cloned()) }
    }

    /// Drops all queues and wakes those who wait for their messages.
    pub(super) fn close(&self) {
        let mut queues = lock(&self.queues);
        queues.closed = true;
        queues.timers.abort_all();
        for channel in std::mem::take(&mut queues.by_name).into_values() {
            channel.close();
        }
    }
}

/// What a receiver asks for.
#[derive(Debug)]
pub(super) struct Receive {
    /// The most messages to take.
    pub(super) max: usize,
    /// How long to hide them from other receivers.
    pub(super) visibility_timeout: Duration,
    /// How long to wait for the first.
    pub(super) wait: Duration,
    /// Where messages go that were received this often.
    pub(super) dead_letters: Option<(Arc<Channel>, u32)>,
}

/// One queue, and who waits for its messages.
#[derive(Debug)]
pub(super) struct Channel {
    /// The queue's name.
    pub(super) name: String,
    /// The queue's settings.
    pub(super) settings: Settings,
    state: Mutex<State>,
    /// A message is ready.
    arrived: Notify,
    /// A message becomes ready earlier than the timer expects.
    rescheduled: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    /// The moment the timer sleeps until.
    timer: Option<Instant>,
    closed: bool,
}

impl Channel {
    fn new(name: &str, settings: Settings) -> Self {
        Self {
            name: name.to_owned(),
            settings,
            state: Mutex::default(),
            arrived: Notify::new(),
            rescheduled: Notify::new(),
        }
    }

    /// Changes the queue, and wakes whoever that concerns: one receiver if there is a message to take, and
    /// the timer if it would sleep too long.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut state = lock(&self.state);
        let result = change(&mut state.queue);
        let ready = state.queue.has_ready();
        let next = state.queue.next_release();
        let too_late = next.is_some_and(|next| state.timer.is_none_or(|timer| next < timer));
        drop(state);
        if ready {
            self.arrived.notify_one();
        }
        if too_late {
            self.rescheduled.notify_one();
        }
        result
    }

    /// Takes messages, waiting for the first; none when the time is over or the queues are closed.
    pub(super) async fn receive(&self, request: Receive) -> Vec<Message> {
        let deadline = Instant::now() + request.wait;
        let max_receive_count = request.dead_letters.as_ref().map(|(_, max)| *max);
        loop {
            let mut arrived = pin!(self.arrived.notified());
            // Before looking, so that neither an arrival nor the end is missed in between.
            arrived.as_mut().enable();
            let taken = self.update(|queue| {
                queue.receive(request.max, request.visibility_timeout, max_receive_count, Now::read())
            });
            if let Some((dead_letters, _)) = &request.dead_letters {
                dead_letters.bury(taken.dead, &self.name);
            }
            if !taken.delivered.is_empty() || request.wait.is_zero() || lock(&self.state).closed {
                return taken.delivered;
            }
            if timeout_at(deadline, arrived).await.is_err() {
                return Vec::new();
            }
        }
    }

    /// Takes in what another queue gave up on. It counts receives anew.
    fn bury(&self, messages: Vec<Message>, source: &str) {
        if messages.is_empty() {
            return;
        }
        self.update(|queue| {
            for mut message in messages {
                message.receive_count = 0;
                message.first_received_millis = None;
                message.dead_letter_source = Some(source.to_owned());
                queue.send(message, Duration::ZERO, Now::read());
            }
        });
    }

    /// Makes hidden messages ready on time, for receivers that wait.
    async fn keep_time(self: Arc<Self>) {
        loop {
            let mut rescheduled = pin!(self.rescheduled.notified());
            rescheduled.as_mut().enable();
            let (ready, next) = {
                let mut state = lock(&self.state);
                state.queue.release(Instant::now());
                state.timer = state.queue.next_release();
                (state.queue.has_ready(), state.timer)
            };
            if ready {
                self.arrived.notify_one();
            }
            match next {
                Some(next) => tokio::select! {
                    () = rescheduled => {}
                    () = sleep_until(next) => {}
                },
                None => rescheduled.await,
            }
        }
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.queue.purge();
        drop(state);
        self.arrived.notify_waiters();
    }
}

/// Nothing panics while it holds one of these locks, so that a poisoned one holds a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
