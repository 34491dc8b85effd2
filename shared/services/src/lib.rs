//! What the product does: use cases, a folder for each resource, over [`state::AppState`].

pub mod analytics;
pub mod audit;
pub mod auth;
pub mod billing;
pub mod config;
pub mod connection;
pub mod custody;
pub mod deadline;
pub mod idempotency;
pub mod limits;
pub mod lists;
pub mod llm;
pub mod mcp;
pub mod members;
pub mod pats;
pub mod platform_mcp;
pub mod projects;
pub mod run;
pub mod state;
pub mod step;
pub mod tasks;
pub mod triggers;
pub mod webhook;
pub mod workflows;
pub mod workspaces;
