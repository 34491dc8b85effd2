//! The way to AWS and to the world: clients and TLS, guarded HTTP, secrets, the queue, metrics and tracing. Nothing
//! here knows what the product does.

pub mod aws;
pub mod blocking;
pub mod cache;
pub mod fair_semaphore;
pub mod memory;
pub mod metrics;
pub mod outbound_http;
pub mod patience;
pub mod queue;
pub mod secrets;
pub mod telemetry;
pub mod tls;
pub mod trace;

/// Makes an `async fn` return a boxed future: its code is compiled once, where it is written, and not in each crate that
/// awaits it. For the entry points of services.
pub use async_recursion::async_recursion as boxed;

use std::time::Duration;

use types::clock::{Clock, Timestamp};

/// Waits for so long. Nobody moves a manual clock for those who wait, so there it is a chance for others only.
pub async fn pause(clock: &Clock, time: Duration) {
    match clock {
        Clock::System => tokio::time::sleep(time).await,
        Clock::Manual(_) => tokio::task::yield_now().await,
    }
}

/// Waits until it is this time; by a manual clock, until somebody has moved it there.
pub async fn reach(clock: &Clock, time: Timestamp) {
    match clock {
        Clock::System => tokio::time::sleep(time.since(clock.now())).await,
        Clock::Manual(manual) => manual.reach(time).await,
    }
}
