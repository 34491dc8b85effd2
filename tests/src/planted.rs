//! Planted bugs: requests to DynamoDB that lack a condition, so that the tests which are to find such a bug can be
//! seen to find it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Value, json};

use crate::intercept::Interceptor;

/// A condition that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A run's row is replaced whatever has become of it since it was read.
    ReplacesAnyRevision,
    /// A new run is written over one of the same id.
    StartsOverAnother,
    /// A child run is started although nothing waits for it any more.
    StartsUnwantedChildren,
}

impl Planted {
    /// Between an environment and its stores.
    pub fn interceptor(self) -> Interceptor {
        Interceptor::of_sdk(self)
    }

    fn condition(self) -> &'static str {
        match self {
            Self::ReplacesAnyRevision => "rev = :rev",
            Self::StartsOverAnother => "attribute_not_exists(pk)",
            Self::StartsUnwantedChildren => "contains(children, :child)",
        }
    }

    /// Takes the condition out of a request or of one write of a transaction; whether it was there.
    fn is_taken_out_of(self, write: &mut Value) -> bool {
        if write["ConditionExpression"] != self.condition() {
            return false;
        }
        let Some(fields) = write.as_object_mut() else { return false };
        fields.remove("ExpressionAttributeValues");
        match self {
            // A check is nothing but its condition.
            Self::StartsUnwantedChildren => {
                fields.insert("ConditionExpression".to_owned(), json!("attribute_exists(pk)"));
            }
            Self::ReplacesAnyRevision | Self::StartsOverAnother => {
                fields.remove("ConditionExpression");
            }
        }
        true
    }

    fn spoil(self, request: &mut Value) -> bool {
        let mut spoilt = self.is_taken_out_of(request);
        let writes = request.get_mut("TransactItems").and_then(Value::as_array_mut);
        for write in writes.into_iter().flatten() {
            for operation in write.as_object_mut().into_iter().flat_map(|write| write.values_mut()) {
                spoilt |= self.is_taken_out_of(operation);
            }
        }
        spoilt
    }
}

#[dyn_dispatch_hint]
impl Intercept for Planted {
    fn name(&self) -> &'static str {
        "Planted"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let Some(bytes) = request.body().bytes() else { return Ok(()) };
        let mut body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if self.spoil(&mut body) {
            let text = body.to_string();
            request.headers_mut().insert("content-length", text.len().to_string());
            *request.body_mut() = SdkBody::from(text);
        }
        Ok(())
    }
}
