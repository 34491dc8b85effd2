//! Triggers: what starts a workflow's runs by the clock. They fire by the sweep; here they are made, read, changed,
//! deleted.

mod manage;
mod params;
mod view;

pub use manage::{NewTrigger, TriggerChange, change, create, delete, list};
pub use view::{CatchUp, TriggerKind, TriggerView};
