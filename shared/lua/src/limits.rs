//! The bounds of scripts and of what they may use up.

use std::time::Duration;

/// The longest script, in bytes: the limit of the workflow language.
pub const MAX_SCRIPT_BYTES: usize = 64 * 1024;

/// How deep tables may nest in a result, in `json.encode` and in `json.decode`.
pub const MAX_DEPTH: usize = 128;

/// What one script may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the call of [`Pool::run`](super::Pool::run) to its end: setting up, loading the globals, running,
    /// reading the result.
    pub time: Duration,
    /// What the VM may hold, the globals included. Helpers written in Rust (`json.encode` and the like) have
    /// bounds of their own beside it.
    pub memory_bytes: usize,
    /// The result as compact JSON.
    pub result_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(5), memory_bytes: 64 * 1024 * 1024, result_bytes: 1024 * 1024 }
    }
}
