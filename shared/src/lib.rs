//! What two or more functions need. Dependencies point one way: `http → auth, workflow, run, step → store,
//! queue, secrets`; nothing below knows HTTP, nothing above knows a DynamoDB attribute name.

pub mod analytics;
pub mod audit;
pub mod auth;
pub mod aws;
pub mod billing;
mod blocking;
mod cache;
pub mod clock;
pub mod config;
pub mod connection;
pub mod error;
pub mod http;
pub mod ids;
pub mod json_numbers;
pub mod limits;
pub mod llm;
pub mod mcp;
pub mod metrics;
pub mod outbound_http;
pub mod patience;
pub mod queue;
pub mod run;
pub mod secrets;
pub mod state;
pub mod step;
pub mod store;
mod strict;
pub mod telemetry;
pub mod text;
mod tls;
pub mod trace;
pub mod trigger;
pub mod webhook;
pub mod workflow;

pub use error::{Error, Result};
pub use state::AppState;
