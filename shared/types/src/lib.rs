//! Ids, time, errors, roles and scopes, numbers, texts and limits: what a crate below the store names. Small, and
//! without I/O.

pub mod clock;
pub mod error;
pub mod form;
pub mod ids;
pub mod issue;
pub mod json_cost;
pub mod json_numbers;
pub mod json_path;
pub mod json_text;
pub mod limits;
pub mod mcp;
pub mod quotas;
pub mod retry;
pub mod role;
pub mod scope;
pub mod strict;
pub mod suggest;
pub mod text;
pub mod tokens;

pub use error::{Error, Result};
