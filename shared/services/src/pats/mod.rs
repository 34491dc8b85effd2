//! Personal access tokens: made, listed, revoked. A token is shown once, when it is made; what is kept of it is its
//! row with a keyed hash.

mod create;
mod read;
mod revoke;
mod view;

pub use create::{NewPat, create};
pub use read::{list, reveal};
pub use revoke::{revoke, revoke_all};
pub use view::PatView;
