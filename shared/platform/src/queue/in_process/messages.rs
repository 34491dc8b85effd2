//! The rules of a queue: which messages are ready, which are hidden and until when, and whose turn it is. No clock
//! and no locks; the caller passes the time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use super::super::{LARGEST_BATCH, Message, NewMessage, Receipt};
use crate::trace::Trace;
use types::clock::Timestamp;

/// What a message takes beside its texts: its places in the collections below, and what they keep free.
const OVERHEAD: usize = 512;

/// A message, wherever it is.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: Uuid,
    pub(super) body: String,
    group: String,
    trace: Option<Trace>,
    sent_at: Timestamp,
    receive_count: u32,
    /// None when it is ready.
    hidden_until: Option<Timestamp>,
}

impl Stored {
    fn bytes(&self) -> usize {
        OVERHEAD + self.body.len() + self.group.len()
    }

    /// As it is handed out now.
    fn received(&self) -> Message {
        Message {
            id: self.id.to_string(),
            body: self.body.clone(),
            receipt: Receipt(format!("{}.{}", self.id, self.receive_count)),
            receive_count: self.receive_count,
            sent_at: Some(self.sent_at),
            trace: self.trace.clone(),
        }
    }
}

/// What a receive takes out.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Messages for the receiver, now hidden from others.
    pub(super) delivered: Vec<Message>,
    /// Messages that were received too often, now gone.
    pub(super) dead: Vec<Stored>,
}

/// The messages of a queue.
#[derive(Debug, Default)]
pub(super) struct Messages {
    by_id: HashMap<Uuid, Stored>,
    /// Ready ones of each group, in order of arrival. No group here is without any.
    ready: HashMap<String, VecDeque<Uuid>>,
    /// The groups of `ready`; the first one's message is taken next.
    turns: VecDeque<String>,
    /// The others, by the time at which they are due. Ordered rather than a heap, so that a deleted message leaves
    /// nothing behind.
    hidden: BTreeSet<(Timestamp, Uuid)>,
    bytes: usize,
}

impl Messages {
    /// Adds a message, hidden for `delay`; false when it does not fit into `room`.
    pub(super) fn send(&mut self, new: &NewMessage, delay: Duration, now: Timestamp, room: usize) -> bool {
        let stored = Stored {
            id: Uuid::now_v7(),
            body: new.body.clone(),
            group: new.group.clone(),
            trace: new.trace.clone(),
            sent_at: now,
            receive_count: 0,
            hidden_until: (!delay.is_zero()).then(|| now.plus(delay)),
        };
        self.add(stored, room)
    }

    /// Adds a dead letter; false when it does not fit into `room`.
    pub(super) fn bury(&mut self, dead: Stored, room: usize) -> bool {
        self.add(Stored { receive_count: 0, hidden_until: None, ..dead }, room)
    }

    fn add(&mut self, stored: Stored, room: usize) -> bool {
        if self.bytes + stored.bytes() > room {
            return false;
        }
        self.bytes += stored.bytes();
        match stored.hidden_until {
            Some(until) => {
                self.hidden.insert((until, stored.id));
            }
            None => self.line_up(stored.id, &stored.group),
        }
        self.by_id.insert(stored.id, stored);
        true
    }

    /// Takes up to `most` messages, of each group in turn, and hides them for `visibility`. `admit` is asked for each, by its
    /// group; what is not let in stays ready. A message that was received `most_receives` times before is taken out for
    /// good instead.
    pub(super) fn receive(
        &mut self,
        most: usize,
        visibility: Duration,
        most_receives: Option<u32>,
        now: Timestamp,
        admit: &mut dyn FnMut(&str) -> bool,
    ) -> Taken {
        self.release(now);
        let until = now.plus(visibility);
        let mut taken = Taken::default();
        let mut refused = 0;
        while taken.delivered.len() < most.clamp(1, LARGEST_BATCH)
            && refused < self.turns.len()
            && let Some((group, receive_count)) = self.next_in_line()
        {
            let is_dead = most_receives.is_some_and(|most| receive_count >= most);
            if !is_dead && !admit(group) {
                refused += 1;
                self.turns.rotate_left(1);
                continue;
            }
            refused = 0;
            let Some(id) = self.next_ready() else { continue };
            if is_dead {
                taken.dead.extend(self.remove(id));
                continue;
            }
            let Some(stored) = self.by_id.get_mut(&id) else { continue };
            stored.receive_count += 1;
            stored.hidden_until = Some(until);
            self.hidden.insert((until, id));
            taken.delivered.push(stored.received());
        }
        taken
    }

    /// Deletes a message, unless it was received again since.
    pub(super) fn delete(&mut self, receipt: &Receipt) {
        let Some(stored) = self.named_by(receipt).and_then(|id| self.remove(id)) else { return };
        match stored.hidden_until {
            Some(until) => {
                self.hidden.remove(&(until, stored.id));
            }
            None => self.leave_line(&stored),
        }
    }

    /// Hides a received message for `timeout` from now on; zero makes it ready. False when it is ready already, was
    /// received again, or is gone.
    pub(super) fn change_visibility(&mut self, receipt: &Receipt, timeout: Duration, now: Timestamp) -> bool {
        self.release(now);
        let Some(stored) = self.named_by(receipt).and_then(|id| self.by_id.get_mut(&id)) else {
            return false;
        };
        let Some(until) = stored.hidden_until.take() else { return false };
        let id = stored.id;
        self.hidden.remove(&(until, id));
        if timeout.is_zero() {
            let group = stored.group.clone();
            self.line_up(id, &group);
        } else {
            let until = now.plus(timeout);
            stored.hidden_until = Some(until);
            self.hidden.insert((until, id));
        }
        true
    }

    /// When the next hidden message is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.hidden.first().map(|(until, _)| *until)
    }

    /// Makes the messages ready whose delay or visibility timeout has ended.
    fn release(&mut self, now: Timestamp) {
        while let Some(&(until, id)) = self.hidden.first()
            && until <= now
        {
            self.hidden.pop_first();
            if let Some(stored) = self.by_id.get_mut(&id) {
                stored.hidden_until = None;
                let group = stored.group.clone();
                self.line_up(id, &group);
            }
        }
    }

    /// The group whose turn it is, and how often its first message was received.
    fn next_in_line(&self) -> Option<(&str, u32)> {
        let group = self.turns.front()?;
        let stored = self.by_id.get(self.ready.get(group)?.front()?)?;
        Some((group, stored.receive_count))
    }

    /// The first message of the group whose turn it is, out of the line.
    fn next_ready(&mut self) -> Option<Uuid> {
        let group = self.turns.pop_front()?;
        let line = self.ready.get_mut(&group)?;
        let id = line.pop_front();
        if line.is_empty() {
            self.ready.remove(&group);
        } else {
            self.turns.push_back(group);
        }
        id
    }

    fn line_up(&mut self, id: Uuid, group: &str) {
        if let Some(line) = self.ready.get_mut(group) {
            line.push_back(id);
        } else {
            self.ready.insert(group.to_owned(), VecDeque::from([id]));
            self.turns.push_back(group.to_owned());
        }
    }

    /// Seldom: a message that came back is deleted before somebody else has it.
    fn leave_line(&mut self, stored: &Stored) {
        let Some(line) = self.ready.get_mut(&stored.group) else { return };
        line.retain(|id| *id != stored.id);
        if line.is_empty() {
            self.ready.remove(&stored.group);
            self.turns.retain(|group| *group != stored.group);
        }
    }

    fn remove(&mut self, id: Uuid) -> Option<Stored> {
        let stored = self.by_id.remove(&id)?;
        self.bytes -= stored.bytes();
        Some(stored)
    }

    /// The message whose latest receipt this is.
    fn named_by(&self, Receipt(text): &Receipt) -> Option<Uuid> {
        let (id, count) = text.rsplit_once('.')?;
        let id = id.parse().ok()?;
        (count.parse() == Ok(self.by_id.get(&id)?.receive_count)).then_some(id)
    }
}
