//! Instances and their profiles.

pub mod call;
pub mod create;
pub mod get;
pub mod list;
pub mod profiles;
pub mod resolve;
pub mod validate;
