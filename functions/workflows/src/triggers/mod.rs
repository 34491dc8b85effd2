//! Triggers: `…/workflows/{id}/triggers`. A trigger fires by the sweep; here it is made, read, changed, deleted.

pub mod create;
pub mod delete;
pub mod list;
pub mod patch;
mod view;

/// How often a write is tried when the trigger fires, or somebody else makes or changes one, at the same moment.
const MOST_TRIES: usize = 5;
