//! An interceptor on the SDK clients that counts requests by operation, and what they cost.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use serde_json::Value;

use crate::units;

/// What was asked of the stores.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Requests by operation, each attempt by itself.
    pub requests: BTreeMap<String, u64>,
    /// Units of the table.
    pub write_units: u64,
    /// Units of its indexes.
    pub index_units: u64,
    /// Units of strongly consistent reads.
    pub read_units: u64,
    /// Bytes of the items written.
    pub bytes: u64,
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
        self.read_units += other.read_units;
        self.bytes += other.bytes;
    }
}

/// The items as they stand, by their keys: what a write costs depends on what it replaces.
#[derive(Debug, Clone, Default)]
pub struct Items(Arc<Mutex<HashMap<(String, String), Value>>>);

/// Counts. Clones share the count.
#[derive(Debug, Clone)]
pub struct Meter {
    tally: Arc<Mutex<Tally>>,
    items: Items,
}

impl Meter {
    /// A meter of clients on these items.
    pub fn on(items: &Items) -> Self {
        Self { tally: Arc::default(), items: items.clone() }
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For an SDK client's configuration.
    pub fn interceptor(&self) -> SharedInterceptor {
        SharedInterceptor::new(self.clone())
    }

    fn written(&self, item: &Value, times: u64) {
        let key = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        let mut items = self.items.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = items.insert((key("pk"), key("sk")), item.clone());
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.write_units += times * units::write(old.as_ref(), item);
        tally.index_units += units::index_writes(old.as_ref(), item);
        tally.bytes += units::size(item) as u64;
    }
}

/// A request that is under way: its body.
#[derive(Debug)]
struct Sent(Value);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.requests.entry(operation).or_default() += 1;
        drop(tally);
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default());
        config.interceptor_state().store_put(Sent(body.unwrap_or_default()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if !context.response().status().is_success() {
            return Ok(());
        }
        if let Some(Sent(body)) = config.load::<Sent>() {
            if let item @ Value::Object(_) = &body["Item"] {
                self.written(item, 1);
            }
            for write in body["TransactItems"].as_array().into_iter().flatten() {
                self.written(&write["Put"]["Item"], 2);
            }
        }
        let body = context.response().body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let read = body["Items"].as_array().into_iter().flatten().chain(body.get("Item"));
        let units: u64 = read.map(units::read).sum();
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).read_units += units;
        Ok(())
    }
}
