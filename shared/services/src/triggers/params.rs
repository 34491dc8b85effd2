//! What a trigger's runs are started with.

use serde_json::{Map, Value};

use crate::run::StartParams;
use types::{Error, Result};

/// The most bytes of a trigger's `params`: a list of a hundred must fit into an answer.
const LARGEST_PARAMS: usize = 32 * 1024;

/// The keys of a start's `params` that belong to one start.
const OF_ONE_START: [&str; 4] = ["run_id", "trigger_type", "resume_from_run_id", "from_step_id"];

/// Reads `params` as a start does, so that a due time cannot trip over them, and gives them as text to keep.
///
/// # Errors
/// Invalid, naming the key that is wrong.
pub fn check_params(mut params: Map<String, Value>) -> Result<String> {
    StartParams::drop_unused(&mut params);
    if let Some(key) = OF_ONE_START.iter().find(|key| params.contains_key(**key)) {
        return Err(Error::invalid(format!(
            "params.{key}: belongs to one start; a trigger starts many runs, each with trigger_type \"schedule\" \
             and an id of its own."
        )));
    }
    let text = Value::Object(params.clone()).to_string();
    if text.len() > LARGEST_PARAMS {
        return Err(Error::invalid(format!(
            "params: must be at most 32 KiB of JSON, these are {} bytes.",
            text.len()
        )));
    }
    StartParams::from_params(params)?;
    Ok(text)
}
