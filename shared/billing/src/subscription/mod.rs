//! What a tenant has of a product's plans: its trial, its subscription, and the credits that come with them. Pure: no
//! I/O, no clock. The payment provider decides what is paid; [`Standing::observe`] takes over what it says *now*,
//! whatever told us to look, so that messages may come twice, late, out of order or not at all.
//!
//! A change never touches the ledger. It adds [`Posting`]s to the row, which are written with it and made afterwards,
//! by whoever comes first; each is known to the ledger by its cause, so that making it again has no effect.

mod observe;
mod provider_state;
pub mod standing;
#[cfg(test)]
mod tests;
mod view;
mod window;

pub use observe::{InvoiceState, Observed, Seen};
pub use provider_state::ProviderState;
pub use standing::{Checkout, Free, Included, Paid, Posting, Refusal, Standing, Trial};
pub use view::{Status, TrialView, status};
pub use window::Period;
