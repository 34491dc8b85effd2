//! What running a script gives.

use serde_json::Value;

use super::failure::Failure;

/// What became of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The returned table as a JSON object or array, or why there is none.
    pub result: Result<Value, Failure>,
    /// What `print` wrote, one entry per call, also when the script failed. At most 100 entries and 16 KiB; a
    /// last entry says so when something was cut.
    pub log: Vec<String>,
}
