//! A queue in this process and in memory: of the local process and of tests.
//!
//! The end of the process empties it: every message can be derived from a row, and the sweep does so when the next
//! process starts. The rules are in [`messages`]; here are who waits and when they wake. A waiting receiver sleeps
//! until something changes or the next message is due, by the clock that the queue was given.

mod messages;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{LONGEST_DELAY, LONGEST_VISIBILITY, LONGEST_WAIT, Message, NewMessage, Queue, Receipt};
use crate::reach;
use types::clock::{Clock, Timestamp};
use types::{Error, Result};

use messages::{Messages, Stored};

/// How many bytes of memory messages may take, some 100,000 of them.
const ROOM: usize = 64 << 20;
/// How many those may take that could not be handled.
const ROOM_OF_DEAD_LETTERS: usize = 1 << 20;

/// A queue in memory.
#[derive(Debug)]
pub struct InProcessQueue {
    clock: Clock,
    visibility: Duration,
    room: usize,
    /// Where a message goes that was received so often.
    redrive: Option<(Arc<Self>, u32)>,
    state: Mutex<State>,
    /// There may be something to receive, or something is due earlier than before.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: Messages,
    closed: bool,
}

impl InProcessQueue {
    /// A queue by this clock, and its dead letters. A received message is hidden for `visibility`; after
    /// `most_receives` it is a dead letter.
    pub fn with_dead_letters(
        clock: &Clock,
        visibility: Duration,
        most_receives: u32,
    ) -> (Arc<Self>, Arc<Self>) {
        let new = |room, redrive| {
            let (state, changed) = Default::default();
            Arc::new(Self { clock: clock.clone(), visibility, room, redrive, state, changed })
        };
        let dead_letters = new(ROOM_OF_DEAD_LETTERS, None);
        (new(ROOM, Some((Arc::clone(&dead_letters), most_receives))), dead_letters)
    }

    /// Loses every message, as the end of a process does.
    pub fn clear(&self) {
        self.state().messages = Messages::default();
    }

    /// Takes no more messages and hands none out. Who waits is answered at once, with none.
    pub fn close(&self) {
        *self.state() = State { closed: true, ..State::default() };
        self.changed.notify_waiters();
    }

    /// Takes in what another queue gave up.
    fn bury(&self, dead: Vec<Stored>, receives: u32) {
        for stored in dead {
            tracing::error!(
                message_id = %stored.id, body = stored.body,
                "a message was received {receives} times and never handled; it goes to the dead letters"
            );
            if !self.state().messages.bury(stored, self.room) {
                tracing::error!("there is no more room for dead letters; it is lost");
            }
        }
        self.changed.notify_waiters();
    }

    /// Like [`Queue::receive`], but takes only messages that `admit` has something for, by their groups, and hands each
    /// out with that. Who waits here does not notice when `admit` would have something again.
    ///
    /// # Errors
    /// Unavailable when the queue is closed.
    pub async fn receive_admitted<T>(
        &self,
        most: usize,
        wait: Duration,
        mut admit: impl FnMut(&str) -> Option<T>,
    ) -> Result<Vec<(Message, T)>> {
        let until = self.clock.now().plus(wait.min(LONGEST_WAIT));
        let mut was_open = false;
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before looking, so that no change is missed in between.
            changed.as_mut().enable();
            let mut admitted = Vec::new();
            let taken = self.take(most, &mut |group| {
                let admits = admit(group).map(|with| admitted.push(with));
                admits.is_some()
            });
            let Some((delivered, next)) = taken else {
                return if was_open { Ok(Vec::new()) } else { Err(closed()) };
            };
            was_open = true;
            if !delivered.is_empty() || self.clock.now() >= until {
                return Ok(delivered.into_iter().zip(admitted).collect());
            }
            tokio::select! {
                () = changed => {}
                () = reach(&self.clock, next.map_or(until, |next| next.min(until))) => {}
            }
        }
    }

    /// What can be received now; none when the queue is closed. Also when the next message is due.
    fn take(
        &self,
        most: usize,
        admit: &mut dyn FnMut(&str) -> bool,
    ) -> Option<(Vec<Message>, Option<Timestamp>)> {
        let now = self.clock.now();
        let most_receives = self.redrive.as_ref().map(|(_, most)| *most);
        let (taken, next) = {
            let mut state = self.state();
            if state.closed {
                return None;
            }
            let taken = state.messages.receive(most, self.visibility, most_receives, now, admit);
            (taken, state.messages.next_due())
        };
        if let Some((dead_letters, receives)) = self.redrive.as_ref().filter(|_| !taken.dead.is_empty()) {
            dead_letters.bury(taken.dead, *receives);
        }
        Some((taken.delivered, next))
    }

    /// Nothing panics while it holds the lock, so that a poisoned one holds a whole value.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for InProcessQueue {
    async fn send(&self, message: &NewMessage, delay: Duration) -> Result<()> {
        message.check()?;
        let now = self.clock.now();
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        if !state.messages.send(message, delay.min(LONGEST_DELAY), now, self.room) {
            return Err(Error::unavailable("The queue", "its messages take all the memory that they may"));
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>> {
        let received = self.receive_admitted(most, wait, |_| Some(())).await?;
        Ok(received.into_iter().map(|(message, ())| message).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<()> {
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        for receipt in receipts {
            state.messages.delete(receipt);
        }
        Ok(())
    }

    async fn change_visibility(&self, receipt: &Receipt, timeout: Duration) -> Result<bool> {
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        let timeout = timeout.min(LONGEST_VISIBILITY);
        let is_its = state.messages.change_visibility(receipt, timeout, self.clock.now());
        drop(state);
        self.changed.notify_waiters();
        Ok(is_its)
    }
}

fn closed() -> Error {
    Error::unavailable("The queue", "the process is ending")
}

#[cfg(test)]
mod tests;
