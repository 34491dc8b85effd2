//! What tests and benchmarks share: the whole product on embedded stores inside the test's process, and a
//! client with which a scenario reads as a story.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

mod app;
mod client;
mod commits;
mod exchanges;
mod faults;
mod gate;
mod graphs;
mod intercept;
mod mcp;
mod mcp_raw;
mod mcp_server;
mod mixed;
mod models;
mod planted;
mod process;
mod rows;
mod run;
mod secrets;
mod sender;
mod sockets;
mod stripe;
mod turns;
mod watched;

pub use app::{OPERATOR_TOKEN, Stores, TestApp, issue_token};
pub use client::{Answer, Client, Workspace};
pub use commits::Commits;
pub use exchanges::{Asked, Onlooker, interceptor, items_put};
pub use faults::{Fault, Faults, Kind, Operation, Way};
pub use gate::{Gate, Keeper};
pub use graphs::{
    call, chain, for_each, graph, human, lua, lua_after, noise, repeat, tool_call, with, workflow,
};
pub use intercept::{InterceptQueue, Interceptor, QueueCall};
pub use mcp::McpClient;
pub use mcp_raw::{RawMcp, RawReply, RawRequest};
pub use mcp_server::{McpStandIn, ToolCall};
pub use mixed::{Found, run_mixed};
pub use models::{Models, openai_says};
pub use planted::Planted;
pub use process::{LocalProcess, repository};
pub use rows::{StoredValue, stored_values};
pub use run::Run;
pub use secrets::MemorySecrets;
pub use sender::{Sender, gzip, hmac, pat_id, standard_signature};
pub use sockets::http_client;
pub use stripe::StripeStandIn;
pub use turns::Turns;
pub use watched::WatchedBody;
