//! The whole product as one process: every function's routes on one port, the worker polling the queue, the
//! sweep ticking, DynamoDB, SQS and the secret store embedded. It runs the same code as the Lambdas do.

pub mod cli;
pub mod embedded;

mod credentials;
mod process;
mod routes;
mod secrets;
mod worker;

pub use credentials::Credentials;
pub use process::{Options, Process, StartError};
pub use routes::{openapi, router};
pub use secrets::LocalSecrets;
pub use worker::poll;
