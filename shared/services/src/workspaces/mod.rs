//! Workspaces, as operators handle them: a tenant is opened with its first project and its first token, and somebody is
//! let in again when nobody can come in any more.

mod admin;
mod newcomer;
mod open;

pub use admin::{MadeAdmin, NewAdmin, make_admin};
pub use open::{NewWorkspace, create, open};
