//! DynamoDB in this process: `dynoxide` on a SQLite file, reached through the SDK's HTTP client.
//!
//! An acknowledged write survives the end of the process at any moment, `kill -9` included; a power cut may
//! cost the last seconds but never damages the file (SQLite's WAL with `synchronous = NORMAL`: a disk flush
//! per write would halve the throughput). Expired items go only by [`EmbeddedDynamo::sweep_ttl`], which the
//! caller drives. Transactions never conflict, because SQLite runs one at a time; tests raise
//! `TransactionConflict` with an interceptor.

mod error;
mod tokens;
mod wire;
mod worker;

use super::connector::{self, JsonService, Unsigned};
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient, SharedInterceptor};
pub use error::DynamoError;
use std::path::Path;
use std::sync::Arc;
use wire::Service;
use worker::Worker;

/// DynamoDB in this process. Cheap to clone; all clones share one database.
#[derive(Clone, Debug)]
pub struct EmbeddedDynamo {
    worker: Worker,
    service: Arc<Service>,
    http_client: SharedHttpClient,
}

impl EmbeddedDynamo {
    /// Opens the database file at `path`, creating it at need (its directory must exist), or an empty
    /// database in memory without one.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or was written by a newer version.
    pub async fn open(path: Option<&Path>) -> Result<Self, DynamoError> {
        let worker = Worker::start(path).await?;
        let service = Arc::new(Service::new(worker.clone()));
        let http_client = connector::http_client(Arc::clone(&service));
        Ok(Self { worker, service, http_client })
    }

    /// The HTTP client that answers DynamoDB requests from this database.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        self.http_client.clone()
    }

    /// Answers a request that came over HTTP: status and body for an `X-Amz-Target` and a body. None after shutdown.
    pub async fn answer(&self, target: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let answer = self.service.answer(target, body).await.ok()?;
        Some((answer.status, answer.body.bytes().unwrap_or_default().to_vec()))
    }

    /// Settings of an SDK client on this database, to which a caller may add its own.
    #[must_use]
    pub fn sdk_config(&self) -> Builder {
        Builder::from(&connector::sdk_config(self.http_client()))
            .auth_scheme_resolver(Unsigned)
            .allow_no_auth()
    }

    /// Deletes items past their time to live; returns how many. Requests run between its pages.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or after shutdown.
    pub async fn sweep_ttl(&self) -> Result<usize, DynamoError> {
        self.worker.sweep_ttl().await
    }

    /// Finishes the requests that were sent before, then closes the file. Later requests through any clone
    /// fail at once.
    pub async fn shutdown(self) {
        self.worker.stop().await;
    }
}

/// An SDK client on `dynamo` that also runs `interceptors` (fault injection, request counting).
#[must_use]
pub fn dynamo_client(
    dynamo: &EmbeddedDynamo,
    interceptors: impl IntoIterator<Item = SharedInterceptor>,
) -> aws_sdk_dynamodb::Client {
    let mut config = dynamo.sdk_config();
    for interceptor in interceptors {
        config.push_interceptor(interceptor);
    }
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

#[cfg(test)]
mod tests;
