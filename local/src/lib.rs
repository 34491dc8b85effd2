//! The whole product as one process: every function's routes on one port, the worker polling the queue, the
//! sweep ticking, DynamoDB, the queue and the secret store embedded. It runs the same code as the Lambdas do.

pub mod cli;

mod credentials;
mod ledger;
mod process;
mod routes;
mod secrets;
mod server;
mod worker;

pub use credentials::Credentials;
pub use process::{Options, Process, StartError};
pub use routes::{openapi, router};
pub use secrets::{FileSecrets, LocalSecrets, SecretsError};
pub use server::{ConnectionLimits, serve};
pub use worker::poll;

/// Every script builds and drops a VM of its own. The C library's allocator hands that memory back to the system
/// and asks for it again each time; this one keeps it, for a fifth less CPU per run and some tens of megabytes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
