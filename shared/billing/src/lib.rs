//! The rules of credits. Pure.
//!
//! The ledger of a tenant is a list of entries that are written once: grants, lapses, and debits. Each is known by its
//! cause, so that whatever is done twice has an effect once. Beside it stands the [`Account`]: what is left of the
//! grants as of what was used when it was last changed. What was used since then is counted in rows of its own, to
//! which the transactions add that write runs; a balance is both together, in one read.

pub mod account;
mod code;
pub mod entry;
mod money;
pub mod payments;
pub mod plans;
pub mod prices;
pub mod subscription;

pub use account::{Account, Balance, Lapsed, Lot, MOST_LOTS, Used};
pub use code::{Code, Redemption};
pub use entry::{Change, LedgerEntry, What};
pub use money::{Bucket, Metering, Microcredits};
pub use prices::{Action, DEFAULT_STEP_PRICE};
