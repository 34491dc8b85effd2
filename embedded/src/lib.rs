//! The database of the local process and of tests: DynamoDB on SQLite.
//!
//! It sits behind the HTTP client of the ordinary AWS SDK client: a request is serialised as for AWS,
//! handed over in this process, and its answer parsed as from AWS. Code above the SDK cannot tell it from the
//! real service, so there is one implementation of every store. Nothing here listens on a port.

mod connector;
mod dynamo;

pub use dynamo::{DynamoError, EmbeddedDynamo, dynamo_client};
