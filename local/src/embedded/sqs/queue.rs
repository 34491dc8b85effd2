//! One queue as a value: which messages are ready, which are hidden and until when. No I/O, no clock and
//! no locks; the caller passes the time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use uuid::Uuid;

/// A moment, for timers and for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For delays and timeouts.
    pub(super) instant: Instant,
    /// For the timestamps that a message carries: milliseconds since 1970.
    pub(super) unix_millis: u128,
}

impl Now {
    /// Reads both clocks.
    pub(super) fn read() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix_millis: since_1970.as_millis() }
    }
}

/// How a queue treats its messages where a request does not say.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// How long a new message is hidden.
    pub(super) delay: Duration,
    /// How long a received message is hidden.
    pub(super) visibility_timeout: Duration,
    /// How long a receive waits for a message.
    pub(super) wait: Duration,
    /// Name of the dead-letter queue, and after how many receives a message goes there.
    pub(super) redrive: Option<(String, u32)>,
    /// The attributes as they were set, for `GetQueueAttributes`.
    pub(super) attributes: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            visibility_timeout: Duration::from_secs(30),
            wait: Duration::ZERO,
            redrive: None,
            attributes: BTreeMap::new(),
        }
    }
}

/// A message, wherever it is.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Unique in the process.
    pub(super) id: Uuid,
    /// What was sent.
    pub(super) body: String,
    /// The sender's attributes, as JSON objects of `DataType` and a value.
    pub(super) attributes: BTreeMap<String, serde_json::Value>,
    /// The trace that it was sent with.
    pub(super) trace: Option<String>,
    /// When it was sent.
    pub(super) sent_millis: u128,
    /// When it was first received.
    pub(super) first_received_millis: Option<u128>,
    /// How often it was received.
    pub(super) receive_count: u32,
    /// Name of the queue that gave it up, in a dead-letter queue.
    pub(super) dead_letter_source: Option<String>,
}

impl Message {
    /// A message that is sent now.
    pub(super) fn new(body: String, attributes: BTreeMap<String, serde_json::Value>, now: Now) -> Self {
        Self {
            id: Uuid::now_v7(),
            body,
            attributes,
            trace: None,
            sent_millis: now.unix_millis,
            first_received_millis: None,
            receive_count: 0,
            dead_letter_source: None,
        }
    }

    /// The handle of the latest receive. An earlier receive's handle no longer names this message.
    pub(super) fn receipt_handle(&self) -> String {
        format!("{}.{}", self.id, self.receive_count)
    }
}

/// What a receive takes out of a queue.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Messages for the receiver, now hidden from others.
    pub(super) delivered: Vec<Message>,
    /// Messages that were received too often, now gone from the queue.
    pub(super) dead: Vec<Message>,
}

/// The message is not hidden by the receive that a handle names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotInFlight;

/// How many messages a queue holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Ready to be received.
    pub(super) ready: usize,
    /// Received and hidden.
    pub(super) in_flight: usize,
    /// Sent with a delay that has not ended.
    pub(super) delayed: usize,
}

#[derive(Debug)]
struct Stored {
    message: Message,
    /// None when ready.
    hidden_until: Option<Instant>,
}

/// A standard queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: HashMap<Uuid, Stored>,
    /// In order of arrival. May name messages that were deleted since.
    ready: VecDeque<Uuid>,
    hidden: BTreeSet<(Instant, Uuid)>,
}

impl Queue {
    /// Adds a message, hidden for `delay`.
    pub(super) fn send(&mut self, message: Message, delay: Duration, now: Now) {
        let id = message.id;
        let hidden_until = (!delay.is_zero()).then(|| now.instant + delay);
        match hidden_until {
            Some(until) => {
                self.hidden.insert((until, id));
            }
            None => self.ready.push_back(id),
        }
        self.messages.insert(id, Stored { message, hidden_until });
    }

    /// Takes up to `max` messages and hides them for `visibility_timeout`. A message that was received
    /// `max_receive_count` times before is taken out for good instead.
    pub(super) fn receive(
        &mut self,
        max: usize,
        visibility_timeout: Duration,
        max_receive_count: Option<u32>,
        now: Now,
    ) -> Taken {
        self.release(now.instant);
        let mut taken = Taken::default();
        while taken.delivered.len() < max
            && let Some(id) = self.ready.pop_front()
        {
            let Some(stored) = self.messages.get_mut(&id) else { continue };
            if max_receive_count.is_some_and(|max| stored.message.receive_count >= max) {
                taken.dead.extend(self.messages.remove(&id).map(|stored| stored.message));
                continue;
            }
            stored.message.receive_count += 1;
            stored.message.first_received_millis.get_or_insert(now.unix_millis);
            taken.delivered.push(stored.message.clone());
            if visibility_timeout.is_zero() {
                self.ready.push_back(id);
                break;
            }
            let until = now.instant + visibility_timeout;
            stored.hidden_until = Some(until);
            self.hidden.insert((until, id));
        }
        taken
    }

    /// Deletes the message, unless it was received again since `receipt_handle` was given out.
    pub(super) fn delete(&mut self, receipt_handle: &str) {
        if let Some(id) = self.named_by(receipt_handle)
            && let Some(stored) = self.messages.remove(&id)
            && let Some(until) = stored.hidden_until
        {
            self.hidden.remove(&(until, id));
        }
    }

    /// Hides a received message for `timeout` from now on; zero makes it ready.
    ///
    /// # Errors
    ///
    /// When the message is ready again, was received again, or is gone.
    pub(super) fn change_visibility(
        &mut self,
        receipt_handle: &str,
        timeout: Duration,
        now: Now,
    ) -> Result<(), NotInFlight> {
        self.release(now.instant);
        let id = self.named_by(receipt_handle).ok_or(NotInFlight)?;
        let stored = self.messages.get_mut(&id).ok_or(NotInFlight)?;
        let until = stored.hidden_until.take().ok_or(NotInFlight)?;
        self.hidden.remove(&(until, id));
        if timeout.is_zero() {
            self.ready.push_back(id);
        } else {
            stored.hidden_until = Some(now.instant + timeout);
            self.hidden.insert((now.instant + timeout, id));
        }
        Ok(())
    }

    /// Makes the messages ready whose delay or visibility timeout has ended.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some(&(until, id)) = self.hidden.first()
            && until <= now
        {
            self.hidden.pop_first();
            if let Some(stored) = self.messages.get_mut(&id) {
                stored.hidden_until = None;
                self.ready.push_back(id);
            }
        }
    }

    /// Whether a receive would find a message.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the next hidden message becomes ready.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.hidden.first().map(|(until, _)| *until)
    }

    /// Deletes every message.
    pub(super) fn purge(&mut self) {
        *self = Self::default();
    }

    /// How many messages there are.
    pub(super) fn counts(&self) -> Counts {
        let (mut ready, mut in_flight, mut delayed) = (0, 0, 0);
        for stored in self.messages.values() {
            match (stored.hidden_until, stored.message.receive_count) {
                (None, _) => ready += 1,
                (Some(_), 0) => delayed += 1,
                (Some(_), _) => in_flight += 1,
            }
        }
        Counts { ready, in_flight, delayed }
    }

    fn named_by(&self, receipt_handle: &str) -> Option<Uuid> {
        let (id, count) = receipt_handle.rsplit_once('.')?;
        let id = id.parse().ok()?;
        let latest = self.messages.get(&id)?.message.receive_count;
        (count.parse() == Ok(latest)).then_some(id)
    }
}

#[cfg(test)]
mod tests;
