//! How long tools wait: what they say of it, what they take, and how much of it is left.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::own::Context;
use crate::api::Answer;

/// The longest wait: API Gateway gives up after 30 s.
pub const MAX_WAIT_S: u64 = 20;

/// The description of an argument that says how long.
pub(super) fn wait_s(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": MAX_WAIT_S, "description": description })
}

/// How long, of what was asked for.
///
/// # Errors
/// Invalid, naming the argument.
pub(super) fn checked_wait(context: &Context<'_>, asked: Option<u64>) -> Result<u64, Answer> {
    match asked.unwrap_or(MAX_WAIT_S) {
        seconds @ 1..=MAX_WAIT_S => Ok(seconds),
        _ => Err(context.invalid(format!("wait_s: must be 1 to {MAX_WAIT_S}."))),
    }
}

/// How many whole seconds are left, to the nearest: a wait of one second is one, and the rest of it none.
pub(super) fn seconds_until(time: Instant) -> u64 {
    (time.saturating_duration_since(Instant::now()) + Duration::from_millis(500)).as_secs()
}
