//! Runs: their states, what changes them, what readers see of it, and how a change is kept.
//!
//! [`Machine`] is the pure part: it holds a run in memory and applies [`Command`]s to it without I/O, clock or
//! randomness. [`Session`] loads a run, journals commands, and commits them with one conditional write; when
//! somebody else was faster it reloads and applies its journal again, so that every guard stands in one place.
//! [`Reader`] is what the API shows of a run.

mod command;
mod control;
mod event;
mod failure;
mod machine;
mod page;
mod plans;
mod reader;
mod recover;
mod retry;
mod rounds;
mod session;
mod slot;
mod start;
mod state;
mod view;
mod watch;

pub use command::{Answer, Command, Outcome, Refusal, StepFailure, StopMode};
pub use control::{Control, complete_task, control};
pub use event::{Event, EventKind, SkipReason};
pub use failure::{Failure, FailureCode, LOOP_TOO_LARGE};
pub use machine::{Machine, OpenTask, TaskChange, Work};
pub use page::Page;
pub use plans::PlanCache;
pub use reader::Reader;
pub use recover::Resume;
pub use retry::{Retry, retry};
pub use rounds::{Held, Loop, Round};
pub use session::{Commit, Session};
pub use slot::{Inner, Slot};
pub use start::{StartRequest, Started, check_steps, read_params, start};
pub use state::{
    Lease, NewRun, Parent, Recovery, Reused, Run, RunInput, RunStatus, StepState, Tokens, TriggerType, Usage,
    Wait,
};
pub use view::{ContextView, EventView, Phase, RunSummary, RunView, StepContext, StepCounts, StepView};
pub use watch::{RunWatch, Waiter, Watched};
