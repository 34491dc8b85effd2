//! Counts what SDK clients ask of the stores, by operation, and what it costs.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::TableDescription;
use it::{Interceptor, Onlooker, interceptor, items_put};
use serde_json::Value;

use crate::units::{self, Index};

/// What was asked of the stores.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests by operation, each attempt by itself.
    pub requests: BTreeMap<String, u64>,
    /// Units of the table.
    pub write_units: u64,
    /// Units of its indexes.
    pub index_units: u64,
    /// Units of other writes: counters that are added to, rows that are deleted, conditions of transactions. Each is
    /// taken for a row of up to 1 KB.
    pub other_units: u64,
    /// Units of strongly consistent reads.
    pub read_units: u64,
    /// Bytes of the items written.
    pub bytes: u64,
    /// Requests that wrote an entry of the audit trail and nothing else.
    pub of_trail: u64,
}

impl Tally {
    /// Requests whose operation fulfils this.
    pub fn count(&self, which: impl Fn(&str) -> bool) -> u64 {
        self.requests.iter().filter(|(operation, _)| which(operation)).map(|(_, count)| count).sum()
    }

    /// DynamoDB requests that write.
    pub fn writes(&self) -> u64 {
        self.count(|operation| {
            let writes = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];
            writes.contains(&operation)
        })
    }

    /// DynamoDB requests that read.
    pub fn reads(&self) -> u64 {
        self.count(|operation| {
            let reads = ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"];
            reads.contains(&operation)
        })
    }

    /// SQS requests.
    pub fn messages(&self) -> u64 {
        self.count(|operation| operation.contains("Message"))
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (operation, count) in other.requests {
            *self.requests.entry(operation).or_default() += count;
        }
        self.write_units += other.write_units;
        self.index_units += other.index_units;
        self.other_units += other.other_units;
        self.read_units += other.read_units;
        self.bytes += other.bytes;
        self.of_trail += other.of_trail;
    }
}

/// The table as it stands: what a write costs depends on what it replaces, and on the indexes.
#[derive(Debug)]
pub struct Table {
    indexes: Vec<Index>,
    /// By their keys.
    items: Mutex<HashMap<(String, String), Value>>,
}

impl Table {
    /// An empty table of this shape.
    pub fn new(description: &TableDescription) -> Arc<Self> {
        Arc::new(Self { indexes: units::indexes(description), items: Mutex::default() })
    }

    /// How many items there are, and their bytes.
    pub fn stored(&self) -> (usize, usize) {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        (items.len(), items.values().map(units::size).sum())
    }
}

/// Counts. Clones share the count.
#[derive(Debug, Clone)]
pub struct Meter {
    tally: Arc<Mutex<Tally>>,
    table: Arc<Table>,
}

impl Meter {
    /// A meter of clients on this table.
    pub fn on(table: &Arc<Table>) -> Self {
        Self { tally: Arc::default(), table: Arc::clone(table) }
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Between an environment and its stores.
    pub fn interceptor(&self) -> Interceptor {
        interceptor(self.clone())
    }

    fn written(&self, item: &Value, times: u64) {
        let key = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        let mut items = self.table.items.lock().unwrap_or_else(PoisonError::into_inner);
        let old = items.insert((key("pk"), key("sk")), item.clone());
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.write_units += times * units::write(old.as_ref(), item);
        tally.index_units +=
            self.table.indexes.iter().map(|index| index.write(old.as_ref(), item)).sum::<u64>();
        tally.bytes += units::size(item) as u64;
    }
}

impl Onlooker for Meter {
    fn sent(&self, operation: &str) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.requests.entry(operation.to_owned()).or_default() += 1;
    }

    fn done(&self, request: &Value, answer: &[u8]) {
        let times = if request["TransactItems"].is_array() { 2 } else { 1 };
        for item in items_put(request) {
            self.written(item, times);
        }
        let is_entry = request["Item"]["pk"]["S"].as_str().is_some_and(|pk| pk.ends_with("#AUDIT"));
        let others = times * others(request);
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let read = answer["Items"].as_array().into_iter().flatten().chain(answer.get("Item"));
        let units: u64 = read.map(units::read).sum();
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.read_units += units;
        tally.other_units += others;
        tally.of_trail += u64::from(is_entry);
    }
}

/// How many rows a request writes, or checks as part of a write, other than by putting them.
fn others(request: &Value) -> u64 {
    let in_transaction = request["TransactItems"].as_array().into_iter().flatten();
    let in_transaction =
        in_transaction.filter(|write| write["Put"].is_null() && write["Get"].is_null()).count();
    // `UpdateItem` has an expression; `DeleteItem` none, and neither has a projection or asks to be consistent.
    let is_get = request.get("ConsistentRead").is_some() || request.get("ProjectionExpression").is_some();
    let alone = request["Key"].is_object() && !is_get;
    in_transaction as u64 + u64::from(alone)
}
