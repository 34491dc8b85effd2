//! What functions depend on: one name for the crates below it.

pub use api;
pub use billing;
pub use clients;
pub use engine;
pub use json_schema;
pub use lua;
pub use platform;
pub use services;
pub use store;
pub use types;
pub use worker;
pub use workflow;

pub use api::{function, function_main, routes};
pub use services::state::AppState;
pub use types::{Error, Result};
