//! Members of a workspace and their roles. A member's tokens have at most its role: changing or removing it reaches them
//! in the same write.

mod change;
mod check;
mod create;
mod reach;
mod read;
mod view;

pub use change::{MemberChange, change, remove};
pub use create::{NewMember, create};
pub(crate) use reach::Reach;
pub use read::{get, list};
pub use view::MemberView;
