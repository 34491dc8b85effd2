//! Ids of a request that may be carried out more than once: under an idempotency key they follow from the key, so
//! that whoever takes a request up after a crash makes the same things, not others.

use std::cell::Cell;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Timestamp;

/// What the ids of a request follow from.
#[derive(Debug, Clone)]
pub struct Seed {
    /// When the request was carried out first.
    pub begun_at: Timestamp,
    /// Tells it from all others.
    pub request: String,
}

tokio::task_local! {
    static SEED: (Arc<OnceLock<Seed>>, Cell<u32>);
}

/// Carries out a request whose ids follow from `seed`, as soon as it is set.
pub async fn with_seed<F: Future>(seed: Arc<OnceLock<Seed>>, request: F) -> F::Output {
    SEED.scope((seed, Cell::new(0)), request).await
}

/// The request that is being carried out, when its ids follow from it.
pub fn request() -> Option<String> {
    SEED.try_with(|(seed, _)| seed.get().map(|seed| seed.request.clone())).ok().flatten()
}

/// The next id of the request that is being carried out, when its ids follow from it.
pub(super) fn next() -> Option<Uuid> {
    let next = SEED.try_with(|(seed, count)| {
        let seed = seed.get()?;
        count.set(count.get() + 1);
        let hash =
            Sha256::new().chain_update(seed.request.as_bytes()).chain_update(count.get().to_be_bytes());
        let (random, _) =
            hash.finalize().split_first_chunk::<10>().map(|(head, rest)| (*head, rest.len()))?;
        let millis = u64::try_from(seed.begun_at.as_millis()).ok()?;
        Some(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    });
    next.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PatId, WorkflowId};

    async fn two_ids(request: &str) -> (String, String) {
        let cell = Arc::new(OnceLock::new());
        let now = Timestamp::from_millis(1_790_000_000_000);
        with_seed(Arc::clone(&cell), async {
            let unset = (WorkflowId::new(now), WorkflowId::new(now));
            assert_ne!(unset.0, unset.1);
            let _ = cell.set(Seed { begun_at: now, request: request.to_owned() });
            let later = Timestamp::from_millis(1_790_000_055_000);
            (WorkflowId::new(later).to_string(), PatId::new(later).to_string())
        })
        .await
    }

    #[tokio::test]
    async fn a_request_that_is_carried_out_again_makes_the_same_ids() {
        let (one, other) = (two_ids("r1").await, two_ids("r1").await);
        assert_eq!(one, other);
        assert_ne!(one.0, one.1);
        assert_ne!(one, two_ids("r2").await);
        assert!(request().is_none());
    }
}
