//! Servers.

pub mod create;
pub mod delete;
pub mod discover;
pub mod get;
pub mod list;
pub mod patch;
pub mod validate;
pub mod versions;
