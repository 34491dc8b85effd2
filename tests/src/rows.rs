//! What a process has left in its table, as it can be read: values are compressed with a dictionary, so that looking
//! for them in the file's bytes finds little.

use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use embedded::{EmbeddedDynamo, dynamo_client};
use shared::store::stored_json;

/// A value of a row.
#[derive(Debug)]
pub struct StoredValue {
    /// Its row and attribute.
    pub place: String,
    /// Its text; compressed values as the JSON that they were.
    pub bytes: Vec<u8>,
}

impl StoredValue {
    /// Whether this text is in it.
    pub fn holds(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// Every value of every row that an ended process left in this file.
///
/// # Panics
/// When the file cannot be read, or a value can neither be read nor is an answer that was sealed on purpose.
pub async fn stored_values(file: &Path) -> Vec<StoredValue> {
    let dynamo = EmbeddedDynamo::open(Some(file)).await.expect("the process's database");
    let client = dynamo_client(&dynamo, []);
    let tables = client.list_tables().send().await.expect("tables").table_names.unwrap_or_default();
    let mut values = Vec::new();
    for table in tables {
        let mut pages = client.scan().table_name(table).into_paginator().items().send();
        while let Some(row) = pages.next().await {
            let row = row.expect("a row");
            let key =
                |name: &str| row.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
            let row_key = format!("{} {}", key("pk"), key("sk"));
            for (name, value) in &row {
                let place = format!("{row_key} {name}");
                let bytes = readable(&place, value);
                values.push(StoredValue { place, bytes });
            }
        }
    }
    dynamo.shutdown().await;
    values
}

fn readable(place: &str, value: &AttributeValue) -> Vec<u8> {
    match value {
        AttributeValue::S(text) => text.clone().into_bytes(),
        AttributeValue::B(bytes) => match stored_json(bytes.as_ref()) {
            Ok(json) => json.into_owned(),
            // Answers under idempotency keys are sealed with a key that is not in the data directory's table.
            Err(_) if place.contains("#REQUEST#") => bytes.as_ref().to_vec(),
            Err(error) => panic!("{place}: {error}"),
        },
        // Names and texts inside are in the debug output as they are.
        other => format!("{other:?}").into_bytes(),
    }
}
