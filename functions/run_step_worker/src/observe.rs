//! What is seen of the work from outside: the ids in every line of its log, and its figures.

use shared::AppState;
use shared::engine::{Machine, Outcome, Slot};
use shared::platform::metrics::Metric;
use shared::platform::trace::Trace;
use tracing::Span;
use tracing::field::Empty;

use crate::Message;

/// What every line of the log says that comes of a message. Its tenant and run are known once it is read.
pub(crate) fn message(message: &Message, trace: Option<&Trace>) -> Span {
    let id = &message.id;
    let span =
        tracing::info_span!("message", message_id = id, tenant_id = Empty, run_id = Empty, trace_id = Empty);
    if let Some(trace) = trace {
        span.record("trace_id", trace.id());
    }
    span
}

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
