//! What running a script gives.

use super::failure::Failure;

/// What became of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The returned table as the compact text of a JSON object or array, or why there is none.
    pub result: Result<String, Failure>,
    /// What `print` wrote, one entry per call, also when the script failed. At most 100 entries and 16 KiB; a
    /// last entry says so when something was cut.
    pub log: Vec<String>,
}
