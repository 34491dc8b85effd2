//! A run as a pure function: its state, what may happen to it, the events that tell of it, and what is counted and
//! charged. No I/O, no clock, no randomness.
//!
//! [`Machine`] moves a [`Run`]: a [`Command`] comes in, [`Event`]s and [`Work`] come out. [`trigger`] decides when a
//! schedule is due, [`analytics`] what is counted.

pub mod analytics;
mod bill;
pub mod binding;
mod command;
mod debit;
mod event;
mod failure;
mod machine;
mod page;
mod readiness;
pub mod slot;
mod state;
mod status;
mod step_state;
pub mod trigger;

pub use bill::Bill;
pub use command::{Answer, Command, Outcome, Refusal, StepFailure, StopMode};
pub use event::{Event, EventKind};
pub use failure::{Failure, FailureCode, LOOP_TOO_LARGE};
pub use machine::{Machine, OpenTask, REVIEW, TaskChange, Work};
pub use page::Page;

pub use slot::{Inner, Slot};
pub use state::{Isolated, Isolation, NewRun, Parent, Recovery, Reused, Root, Run, RunInput};
pub use status::{RunStatus, SkipReason, TriggerType, Usage};
pub use step_state::{Held, Lease, Loop, Round, StepState, Wait};
