//! Counting what an environment asks of DynamoDB.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use it::{Interceptor, Onlooker, interceptor};
use serde_json::Value;

/// Requests by operation. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Counted(Arc<Mutex<BTreeMap<String, usize>>>);

impl Counted {
    /// Between an environment and its stores.
    pub fn interceptor(&self) -> Interceptor {
        interceptor(self.clone())
    }

    /// How many requests of this operation there were.
    pub fn of(&self, operation: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(operation).copied().unwrap_or_default()
    }

    /// What there was since the last time.
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Onlooker for Counted {
    fn sent(&self, operation: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(operation.to_owned()).or_default() += 1;
    }

    fn done(&self, _: &Value, _: &[u8]) {}
}
