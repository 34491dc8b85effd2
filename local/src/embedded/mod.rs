//! The stores of the local process: DynamoDB on SQLite, and secrets in an encrypted file.
//!
//! The first sits behind the HTTP client of the ordinary AWS SDK client: a request is serialised as for AWS,
//! handed over in this process, and its answer parsed as from AWS. Code above the SDK cannot tell it from the
//! real service, so there is one implementation of every store. Nothing here listens on a port.

mod connector;
pub mod dynamo;
pub mod secrets;

pub use dynamo::{EmbeddedDynamo, dynamo_client};
pub use secrets::{FileSecrets, SecretsError};
