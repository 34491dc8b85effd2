//! Workflows: drafts, what is published of them, what is checked of them, and the tools that they are offered as.

mod find;
mod manage;
mod read;
mod tools;
mod validation;
mod versions;
mod view;

pub(crate) use find::find;
pub use manage::{NewWorkflow, WorkflowChange, archive, change, create, restore};
pub use read::{WorkflowFilter, get, list, schema};
pub use tools::{WorkflowTool, list_tools};
pub use validation::{Evidence, Validation, ValidationRequest, last_validation, validate, validate_graph};
pub use versions::{Publication, VersionView, get_version, list_versions, publish};
pub use view::WorkflowView;
