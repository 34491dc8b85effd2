//! Runs: their states, what changes them, what readers see of it, and how a change is kept.
//!
//! [`Machine`] is the pure part: it holds a run in memory and applies [`Command`]s to it without I/O, clock or
//! randomness. [`Session`] loads a run, journals commands, and commits them with one conditional write; when
//! somebody else was faster it reloads and applies its journal again, so that every guard stands in one place.
//! [`Reader`] is what the API shows of a run.

mod command;
mod control;
mod descendants;
mod list;
mod plans;
mod read;
mod reader;
mod retry;
mod session;
mod start;
mod view;
mod watch;

pub use command::{Order, command, start_and_wait};
pub(crate) use control::complete_task;
pub use descendants::room_for_descendants;
pub use list::{RunFilter, list, list_of_workflow, statuses};
pub use plans::PlanCache;
pub use read::{context, events, get, summary};
pub use reader::Reader;
pub use retry::{Retry, retry};
pub use session::{Commit, Session};
pub use start::{Origin, Resume, StartCommand, StartParams, Started, check_steps, start};
pub use view::{
    ContextView, EventView, Phase, RunControlled, RunStarted, RunSummary, RunView, StepContext, StepCounts,
    StepView,
};
pub use watch::{RunWatch, Waiter, Watched};
