//! What a tenant has of a product's plans: its trial, its subscription, and the credits that come with them. Pure: no
//! I/O, no clock. The payment provider decides what is paid; [`Standing::observe`] takes over what it says *now*,
//! whatever told us to look, so that messages may come twice, late, out of order or not at all.
//!
//! A change never touches the ledger. It adds [`Posting`]s to the row, which are written with it and made afterwards,
//! by whoever comes first; each is known to the ledger by its cause, so that making it again has no effect.

mod service;

pub(crate) use service::change;
pub use service::{ask_provider, look, post, read};
