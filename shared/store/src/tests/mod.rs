//! What each aggregate promises, on a table in memory: conditional writes refuse, transactions are all or nothing, lists
//! page by their cursors, what has expired is not read.

mod access;
mod credits;
mod requests;
mod secrets;
mod workflows;

use std::time::Duration;

use embedded::{EmbeddedDynamo, dynamo_client};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Store, StoreError};
use types::clock::{Clock, Timestamp};
use types::ids::Place;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// An empty table.
async fn store() -> Store {
    let dynamo = EmbeddedDynamo::open(None).await.unwrap();
    let store = Store::new(dynamo_client(&dynamo, []), "table", Clock::manual(NOW));
    store.create_table().await.unwrap();
    store
}

fn place() -> Place {
    Place { tenant_id: "acme".parse().unwrap(), project_id: "default".parse().unwrap() }
}

/// A record as its JSON says.
fn record<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}
