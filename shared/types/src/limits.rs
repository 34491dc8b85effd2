//! Limits that more than one crate has to know.

/// The most bytes of a body.
pub const LARGEST_BODY: usize = 1024 * 1024;
