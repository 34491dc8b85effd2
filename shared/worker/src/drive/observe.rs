//! What is seen of a step from outside: the ids in every line of its log, and its figures.

use tracing::Span;

use engine::{Machine, Outcome, Slot};
use platform::metrics::Metric;
use services::state::AppState;

/// What every line of an attempt at a step says, beside what its message's say.
pub(crate) fn step(machine: &Machine, slot: Slot) -> Span {
    let attempt_key = machine.attempt_key(slot);
    tracing::info_span!("step", step_id = machine.step_id(slot), attempt_key)
}

/// Logs and measures an attempt that has just ended, before its run knows.
pub(crate) fn step_ended(state: &AppState, machine: &Machine, slot: Slot, outcome: &Outcome) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        step(machine, slot).in_scope(|| tracing::debug!("executed"));
    }
    // The condition of a `while` is part of its loop and has no type of its own.
    let (Some(kind), Some(since)) = (machine.kind(slot), machine.running_since(slot)) else { return };
    let ended = if matches!(outcome, Outcome::Failure(_)) { "failed" } else { "completed" };
    let labels = [("step_type", kind.type_name()), ("step_outcome", ended)];
    state.metrics.time(Metric::StepDuration, &labels, state.clock.now().since(since));
}
