//! What really was written: an interceptor that notes every write of a run's row that took effect, so that a
//! test can tell two commits on the same state from one, even where the second hid the first.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use serde_json::Value;

/// The revisions that were written, by run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Commits(Arc<Mutex<Vec<(String, u64)>>>);

impl Commits {
    /// The revisions written of this run, in the order in which they took effect.
    pub fn of(&self, run_id: &str) -> Vec<u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(run, _)| run == run_id).map(|(_, rev)| *rev).collect()
    }

    /// For an SDK client's configuration.
    pub fn interceptor(&self) -> SharedInterceptor {
        SharedInterceptor::new(self.clone())
    }
}

/// The run rows that a request writes, if it takes effect.
#[derive(Debug)]
struct Written(Vec<(String, u64)>);

impl Storable for Written {
    type Storer = StoreReplace<Self>;
}

impl Written {
    fn of(body: &Value) -> Self {
        let transaction =
            body["TransactItems"].as_array().into_iter().flatten().map(|write| &write["Put"]["Item"]);
        Self(transaction.chain([&body["Item"]]).filter_map(run_row).collect())
    }
}

fn run_row(item: &Value) -> Option<(String, u64)> {
    let text = |name: &str, kind: &str| item[name][kind].as_str();
    let rev = text("rev", "N")?.parse().ok()?;
    (text("sk", "S") == Some("RUN")).then_some((text("run_id", "S")?.to_owned(), rev))
}

#[dyn_dispatch_hint]
impl Intercept for Commits {
    fn name(&self) -> &'static str {
        "Commits"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.request().body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(bytes).unwrap_or_default();
        config.interceptor_state().store_put(Written::of(&body));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (true, Some(Written(rows))) =
            (context.response().status().is_success(), config.load::<Written>())
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(rows.iter().cloned());
        }
        Ok(())
    }
}
