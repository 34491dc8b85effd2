//! Triggers: what starts a workflow's runs by the clock. Here they are made, read, changed, deleted, and fired when the
//! sweep finds them due.

mod fire;
mod manage;
mod params;
mod view;

pub use fire::fire;
pub use manage::{NewTrigger, TriggerChange, change, create, delete, list};
pub use view::{CatchUp, TriggerKind, TriggerView};
