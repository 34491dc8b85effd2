//! What runs cost, and what a workspace has to pay for them with: the ledger.
//!
//! The ledger of a tenant is a list of entries that are written once: grants, lapses, and debits. Each is known by its
//! cause, so that whatever is done twice has an effect once. Beside it stands the [`Account`]: what is left of the
//! grants as of what was used when it was last changed. What was used since then is counted in rows of its own, to
//! which the transactions add that write runs; a balance is both together, in one read.

pub mod codes;
pub mod subscription;

mod dimensions;
mod ledger;
mod provider;
pub mod signature;
mod verify;

pub use dimensions::{ActionUse, DimensionsView, ProjectUse, StepTypeUse, dimensions};

pub(crate) use ledger::enter_expiry;
pub use ledger::{Grant, balance, check, grant, no_credits, set_price, withdraw};

pub use provider::provider;
pub use verify::{Verified, verify};
