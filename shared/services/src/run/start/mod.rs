//! Starting a run: from a caller's parameters to a row that no crash can lose, and a message to a worker.

mod begin;
mod checks;
mod keep;
mod origin;
mod params;
mod recover;

pub use begin::start;
pub use checks::check_steps;
pub(super) use checks::check_tools;
pub use keep::Started;
pub use origin::{Origin, StartCommand};
pub(super) use params::read_params;
pub use params::{Resume, StartParams};
