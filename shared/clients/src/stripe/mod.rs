//! The payment provider: a thin adapter to Stripe's API over the guarded way out. Calls that change something carry an
//! idempotency key, so that they can be repeated without effect; objects are read for what is needed of them, in the
//! shapes of the pinned version and of those before it. Why no library: see docs/decisions.

mod actions;
mod client;
mod event;
mod keys;
mod objects;

pub use actions::{NewCheckout, NewTopup};
pub use client::{Key, Provider, is_final};
pub use event::{Event, EventObject};
pub use keys::{ProviderKeys, not_configured};
pub use objects::{
    CheckoutSession, Expandable, Invoice, PaymentIntent, PromotionCode, Schedule, Subscription,
};
