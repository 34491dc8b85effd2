//! A stretch of a run's history: consecutive events with the inputs and results that they speak of. The
//! newest page stands in the run's own row; when it has grown it is closed and moves to rows of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, EventKind};
use super::slot::Slot;
use types::clock::Timestamp;
use types::json_text::JsonText;

/// Consecutive events and what they refer to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The first event's `seq`; names the page.
    pub first_seq: u64,
    /// In order of `seq`.
    pub events: Vec<Event>,
    /// The expanded fields with which a step was called, by step; steps without such fields are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<Slot, JsonText>,
    /// Results by step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<Slot, JsonText>,
    /// About how many bytes of JSON this is.
    #[serde(default)]
    pub weight: usize,
}

impl Page {
    /// An empty page that will begin with this event.
    pub fn starting_at(first_seq: u64) -> Self {
        Self { first_seq, ..Self::default() }
    }

    /// The `seq` of the next event to be written to it.
    pub fn next_seq(&self) -> u64 {
        self.first_seq + self.events.len() as u64
    }

    /// Appends an event.
    pub fn push(&mut self, at: Timestamp, step: Option<Slot>, kind: EventKind) {
        self.weight += kind.weight();
        self.events.push(Event { seq: self.next_seq(), at, step, kind });
    }

    /// Keeps the fields that a step is called with.
    pub fn put_input(&mut self, slot: Slot, input: JsonText) {
        self.weight += input.bytes();
        self.inputs.insert(slot, input);
    }

    /// Keeps a step's result; `bytes` is the length of its JSON.
    pub fn put_result(&mut self, slot: Slot, result: JsonText, bytes: usize) {
        self.weight += bytes;
        self.results.insert(slot, result);
    }
}
