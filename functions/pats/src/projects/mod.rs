//! Projects of a workspace: made, listed, read, changed, archived and restored, by tenant admins.

pub mod archive;
pub mod create;
pub mod get;
pub mod list;
pub mod patch;
pub mod restore;
