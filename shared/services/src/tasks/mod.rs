//! Human tasks: what waits for people, and their answers.

mod complete;
mod pending;
mod view;

pub use complete::{Completion, complete};
pub use pending::{inbox, pending_of_run};
pub use view::Task;
