//! Members of a workspace and their roles, by tenant admins. A member's tokens have at most its role: changing or
//! removing it reaches them in the same write.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;
