//! What runs cost, and what a workspace has to pay for them with: the ledger.
//!
//! The ledger of a tenant is a list of entries that are written once: grants, lapses, and debits. Each is known by its
//! cause, so that whatever is done twice has an effect once. Beside it stands the [`Account`]: what is left of the
//! grants as of what was used when it was last changed. What was used since then is counted in rows of its own, to
//! which the transactions add that write runs; a balance is both together, in one read.

pub mod codes;
pub mod discounts;
pub mod events;
pub mod history;
pub mod purchase;
pub mod signature;
pub mod subscription;

mod config;
mod dimensions;
mod grants;
mod ledger;
mod payments;
mod plans;
mod pricing;
mod provider;
mod standing;
mod usage;
mod verify;
mod workspace;

pub use config::{StripeConfig, stripe_config};
pub use dimensions::{ActionUse, DimensionsView, ProjectUse, StepTypeUse, dimensions};
pub use grants::{GrantView, give};
pub(crate) use ledger::enter_expiry;
pub use ledger::{Grant, balance, check, grant, no_credits, set_price, withdraw};
pub use payments::payments;
pub use plans::{PlanView, Plans, plans};
pub use pricing::{ActionView, PricingView, agree, pricing};
pub use provider::provider;
pub use standing::{StandingView, Summary, standing, summary};
pub use usage::{UsageView, usage};
pub use verify::{Verified, verify};
