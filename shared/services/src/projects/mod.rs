//! Projects of a workspace: made, listed, read, changed, archived and restored.

mod archive;
mod change;
mod create;
mod read;
mod view;

pub use archive::{archive, restore};
pub use change::{ProjectChange, change};
pub use create::{NewProject, create};
pub use read::{get, list};
pub use view::{ProjectStatus, ProjectView};
