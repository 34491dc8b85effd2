//! A run as a pure function: its state, what may happen to it, the events that tell of it, and what is counted and
//! charged. No I/O, no clock, no randomness.
//!
//! [`Machine`] moves a [`Run`]: a [`Command`] comes in, [`Event`]s and [`Work`] come out. [`trigger`] decides when a
//! schedule is due, [`analytics`] what is counted.

pub mod analytics;
mod bill;
pub mod binding;
pub mod command;
pub mod event;
pub mod failure;
pub mod machine;
pub mod page;
pub mod rounds;
pub mod slot;
pub mod state;
pub mod trigger;

pub use bill::Bill;
pub use command::{Answer, Command, Outcome, Refusal, StepFailure, StopMode};
pub use event::{Event, EventKind, SkipReason};
pub use failure::{Failure, FailureCode, LOOP_TOO_LARGE};
pub use machine::{Machine, OpenTask, TaskChange, Work};
pub use page::Page;
pub use rounds::{Held, Loop, Round};
pub use slot::{Inner, Slot};
pub use state::{
    Lease, NewRun, Parent, Recovery, Reused, Run, RunInput, RunStatus, StepState, TriggerType, Usage, Wait,
};
