//! The structure of the workspace: which crates may use which, no circle of files inside any, and which
//! futures are boxed.

mod arrows;
mod boxes;
mod uses;
