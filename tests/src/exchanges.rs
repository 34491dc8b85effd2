//! Looking on: what the SDK's clients ask of the stores, and what takes effect.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use serde_json::Value;
use shared::Result;

use crate::intercept::{InterceptQueue, Interceptor, QueueCall};

/// Somebody who looks on. Several requests may be under way at once.
pub trait Onlooker: Debug + Send + Sync + 'static {
    /// A request of this operation (`PutItem`, `SendMessage`) is sent, each attempt by itself.
    fn sent(&self, operation: &str) {
        let _ = operation;
    }

    /// A request to DynamoDB took effect: its body, and the bytes of its answer.
    fn done(&self, request: &Value, answer: &[u8]);
}

/// Somebody between an environment and its stores.
pub fn interceptor(onlooker: impl Onlooker) -> Interceptor {
    let exchanges = Exchanges(Arc::new(onlooker));
    Interceptor::of_both(exchanges.clone(), exchanges)
}

/// The items that a DynamoDB request puts.
pub fn items_put(request: &Value) -> impl Iterator<Item = &Value> {
    let transaction = request["TransactItems"].as_array().into_iter().flatten();
    transaction.map(|write| &write["Put"]["Item"]).chain([&request["Item"]]).filter(|item| item.is_object())
}

/// Notes what is asked of the stores, operation by operation. Clones share their notes.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// What was asked since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Between an environment and its stores.
    pub fn interceptor(&self) -> Interceptor {
        interceptor(self.clone())
    }
}

impl Onlooker for Asked {
    fn sent(&self, operation: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(operation.to_owned());
    }

    fn done(&self, _: &Value, _: &[u8]) {}
}

#[derive(Debug, Clone)]
struct Exchanges(Arc<dyn Onlooker>);

/// The body of a request that is under way.
#[derive(Debug)]
struct Sent(Value);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Exchanges {
    fn name(&self) -> &'static str {
        "Exchanges"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        self.0.sent(target.rsplit('.').next().unwrap_or_default());
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default());
        config.interceptor_state().store_put(Sent(body.unwrap_or_default()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let response = context.response();
        if let (true, Some(Sent(request))) = (response.status().is_success(), config.load::<Sent>()) {
            self.0.done(request, response.body().bytes().unwrap_or_default());
        }
        Ok(())
    }
}

#[async_trait]
impl InterceptQueue for Exchanges {
    async fn intercept(&self, operation: &'static str, call: QueueCall<'_>) -> Result<()> {
        self.0.sent(operation);
        call.await
    }
}
