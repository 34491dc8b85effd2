//! The structure of the workspace: which crates may use which, and no circle of files inside any.

mod arrows;
mod uses;
