//! The stores of the local process: DynamoDB on SQLite, SQS in memory and secrets in an encrypted file.
//!
//! The first two sit behind the HTTP client of the ordinary AWS SDK clients: a request is serialised as for
//! AWS, handed over in this process, and its answer parsed as from AWS. Code above the SDK cannot tell them
//! from the real services, so there is one implementation of every store. Nothing here listens on a port.

mod connector;
pub mod dynamo;
pub mod secrets;
pub mod sqs;

pub use dynamo::{EmbeddedDynamo, dynamo_client};
pub use secrets::{FileSecrets, SecretsError};
pub use sqs::{EmbeddedSqs, QueuePair, sqs_client};
