//! Who did what. Every request that changes something leaves an entry: by whom, what, where, and how it ended. The
//! entry is written when the caller has been admitted and before the route does anything, and gets its outcome
//! before the answer is given; so nothing is done without a trace, and an entry that still says `begun` is one whose
//! process died. Where the act is a transaction anyway, or too hot for two writes more, the entry rides in it.

mod action;
mod entry;
mod list;
mod noted;
mod sending;
mod view;

pub use action::{Traced, traced};
pub use entry::{Author, Entry, Riding, begin, end, ride};
pub use list::{TrailFilter, list};
pub use noted::NotedUses;
pub use sending::{Sender, note_sending};
pub use view::{AuditEntry, AuditOutcome};
