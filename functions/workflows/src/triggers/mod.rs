//! Triggers: `…/workflows/{id}/triggers`.

pub mod create;
pub mod delete;
pub mod list;
pub mod patch;
