//! DynamoDB's JSON protocol over the database: each request parsed, run and answered in the service's own
//! shapes, errors included.
//!
//! Parsing and serialising happen on the caller's thread, so that only the database itself is serial.

use super::super::connector::{Answer, Closed, JsonService};
use super::tokens::Token;
use super::worker::Worker;
use dynoxide::actions::transact_write_items::{TransactWriteItemsRequest, TransactWriteItemsResponse};
use dynoxide::{Database, DynoxideError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The longest client request token; the database's own check refuses longer ones.
const MAX_TOKEN_LENGTH: usize = 36;

/// The JSON protocol over one database.
#[derive(Debug)]
pub(super) struct Service {
    worker: Worker,
}

impl Service {
    /// Answers from the database behind `worker`.
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker }
    }

    async fn run<I, O>(
        &self,
        body: &[u8],
        operation: fn(&Database, I) -> dynoxide::Result<O>,
    ) -> Result<Answer, Closed>
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
    {
        let input = match serde_json::from_slice(body) {
            Ok(input) => input,
            Err(error) => return Ok(refusal(&unreadable(&error))),
        };
        let result = self.worker.run(move |store| operation(&store.database, input)).await;
        Ok(encode(result.map_err(|_| Closed)?))
    }

    async fn transact(&self, body: &[u8]) -> Result<Answer, Closed> {
        let mut request: TransactWriteItemsRequest = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(error) => return Ok(refusal(&unreadable(&error))),
        };
        let token = request.client_request_token.take_if(|name| name.len() <= MAX_TOKEN_LENGTH);
        let token = token.map(|name| Token { name, fingerprint: fingerprint(body) });
        let result = self
            .worker
            .run(move |store| -> dynoxide::Result<TransactWriteItemsResponse> {
                let database = &store.database;
                match token {
                    Some(token) => {
                        store.tokens.run(token, Instant::now(), || database.transact_write_items(request))
                    }
                    None => database.transact_write_items(request),
                }
            })
            .await;
        Ok(encode(result.map_err(|_| Closed)?))
    }
}

impl JsonService for Service {
    async fn answer(&self, target: &str, body: &[u8]) -> Result<Answer, Closed> {
        match target.strip_prefix(TARGET_PREFIX).unwrap_or_default() {
            "GetItem" => self.run(body, Database::get_item).await,
            "PutItem" => self.run(body, Database::put_item).await,
            "UpdateItem" => self.run(body, Database::update_item).await,
            "DeleteItem" => self.run(body, Database::delete_item).await,
            "Query" => self.run(body, Database::query).await,
            "Scan" => self.run(body, Database::scan).await,
            "BatchGetItem" => self.run(body, Database::batch_get_item).await,
            "BatchWriteItem" => self.run(body, Database::batch_write_item).await,
            "TransactGetItems" => self.run(body, Database::transact_get_items).await,
            "TransactWriteItems" => self.transact(body).await,
            "CreateTable" => self.run(body, Database::create_table).await,
            "DescribeTable" => self.run(body, Database::describe_table).await,
            "UpdateTable" => self.run(body, Database::update_table).await,
            "DeleteTable" => self.run(body, Database::delete_table).await,
            "ListTables" => self.run(body, Database::list_tables).await,
            "UpdateTimeToLive" => self.run(body, Database::update_time_to_live).await,
            "DescribeTimeToLive" => self.run(body, Database::describe_time_to_live).await,
            _ => Ok(Answer::new(400, r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#)),
        }
    }
}

fn encode<O: Serialize>(result: dynoxide::Result<O>) -> Answer {
    let output = match result {
        Ok(output) => output,
        Err(error) => return refusal(&error),
    };
    match serde_json::to_vec(&output) {
        Ok(body) => Answer::new(200, body),
        Err(error) => refusal(&DynoxideError::InternalServerError(error.to_string())),
    }
}

fn refusal(error: &DynoxideError) -> Answer {
    Answer::new(error.status_code(), error.to_json())
}

/// Why a request could not be read, as DynamoDB would say it. The library's own request types mark a value
/// that DynamoDB refuses with a prefix, for its server to find; the rest is told apart by serde's words.
fn unreadable(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    for marker in ["VALIDATION:", "VALIDATION_REQUEST:", "VALIDATION_AS_READ:"] {
        if let Some(message) = text.strip_prefix(marker) {
            return DynoxideError::ValidationException(message.to_owned());
        }
    }
    for marker in ["SERIALIZATION:", "SERIALIZATION_AS_READ:"] {
        if let Some(message) = text.strip_prefix(marker) {
            return DynoxideError::SerializationException(message.to_owned());
        }
    }
    let invalid = ["missing field", "unknown variant", "invalid type: null", "AttributeValue"];
    if invalid.iter().any(|words| text.contains(words)) {
        return DynoxideError::ValidationException(text.to_owned());
    }
    DynoxideError::SerializationException(text.to_owned())
}

/// Hashes a transaction's items. `Value` hashes an object the same for any order of its members, which is
/// random here: the SDK keeps an item's attributes in a hash map.
fn fingerprint(body: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Items {
        #[serde(rename = "TransactItems")]
        items: serde_json::Value,
    }
    let mut hasher = DefaultHasher::new();
    if let Ok(Items { items }) = serde_json::from_slice(body) {
        items.hash(&mut hasher);
    }
    hasher.finish()
}
