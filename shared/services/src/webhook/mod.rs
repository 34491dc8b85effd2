//! Inbound webhooks: subscriptions that start runs for senders outside, and what makes a delivery one of theirs.
//!
//! [`create`], [`change`], [`rotate`] and [`delete`] manage subscriptions; [`receive`] is the public side. A delivery
//! is accepted when it carries a signature over its bytes, as its [`Sender`] makes them, and the subscription's token
//! where that is required. It is kept in one transaction with the run that it starts, together with the keys that make a
//! second one of it start nothing.

mod content;
mod extras;
mod form;
mod manage;
mod receive;
mod refusals;
mod signature;
mod signing;
mod twilio;
mod view;

use std::time::Duration;

pub use extras::Extras;
pub use manage::{
    Created, LONGEST_GRACE, NewSubscription, Rotated, SubscriptionChange, USUAL_GRACE, change, create,
    delete, deliveries, find, list, rotate,
};

pub use receive::{Accepted, Delivery, MAX_BODY, Received, Reply, receive};
pub use view::{DeliveryView, SubscriptionView};

pub(crate) use signature::Signed;
pub(crate) use signing::{KeyForm, MacKind};

use platform::cache::{Cache, Stay};
use refusals::Refusals;
use types::ids::{Place, SubscriptionId};

/// Who sends to a subscription; callers name it in requests.
pub type Sender = store::sender::Sender;

/// How long a delivery's keys are known.
pub const SEEN_FOR: Duration = Duration::from_secs(72 * 3600);
/// How long those of a delivery are known whose signature holds for good.
pub const REPLAY_SEEN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

const MAX_KEPT: u64 = 10_000;

/// What a process keeps of the subscriptions it has seen.
#[derive(Debug)]
pub struct Webhooks {
    /// Where they are, which never changes.
    places: Cache<SubscriptionId, Place>,
    /// Refusals that are not in the log yet.
    refusals: Refusals,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { places: Cache::new(MAX_KEPT, Stay::Unlimited), refusals: Refusals::default() }
    }
}
