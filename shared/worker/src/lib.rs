//! Moves runs. The queue hands over messages in batches ([`handle`]): each names a run, and whatever of it is ready is
//! executed and committed. Once a minute [`sweep`] finds what nobody was told of.
//!
//! Nothing here knows how anything is stored: that is for `services`.

mod batch;
mod drive;
mod sweep;

pub use batch::{Message, Received, handle};
pub use sweep::sweep;
