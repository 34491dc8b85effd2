//! Ids of a request that may be carried out more than once: under an idempotency key they follow from the key, so
//! that whoever takes a request up after a crash makes the same things, not others.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

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

thread_local! {
    static SEED: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// The request that is being carried out on this thread.
#[derive(Debug)]
struct Current {
    seed: Seed,
    /// How many ids it has made.
    count: u32,
}

/// A request on its way: it is the thread's while it is polled.
struct Seeded<F> {
    current: Option<Current>,
    request: Pin<Box<F>>,
}

/// Takes what is the thread's away again, also when the request panics.
struct Turn<'a>(&'a mut Option<Current>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        SEED.with_borrow_mut(|held| std::mem::swap(held, self.0));
    }
}

impl<F: Future> Future for Seeded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { current, request } = &mut *self;
        SEED.with_borrow_mut(|held| std::mem::swap(held, current));
        let _turn = Turn(current);
        request.as_mut().poll(context)
    }
}

/// Carries out a request whose ids follow from `seed`.
pub fn with_seed<F: Future>(seed: Seed, request: F) -> impl Future<Output = F::Output> {
    Seeded { current: Some(Current { seed, count: 0 }), request: Box::pin(request) }
}

/// The request that is being carried out, when its ids follow from it.
pub fn request() -> Option<String> {
    SEED.with_borrow(|held| Some(held.as_ref()?.seed.request.clone()))
}

/// The next id of the request that is being carried out, when its ids follow from it.
pub fn next() -> Option<Uuid> {
    SEED.with_borrow_mut(|held| {
        let Current { seed, count } = held.as_mut()?;
        *count += 1;
        let hash = Sha256::new().chain_update(seed.request.as_bytes()).chain_update(count.to_be_bytes());
        let (random, _) =
            hash.finalize().split_first_chunk::<10>().map(|(head, rest)| (*head, rest.len()))?;
        let millis = u64::try_from(seed.begun_at.as_millis()).ok()?;
        Some(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PatId, WorkflowId};

    async fn two_ids(request: &str) -> (String, String) {
        let now = Timestamp::from_millis(1_790_000_000_000);
        with_seed(Seed { begun_at: now, request: request.to_owned() }, async {
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
