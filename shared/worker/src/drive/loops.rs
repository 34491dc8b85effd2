//! What comes of a loop: the outputs of its rounds, put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::scope::inner_id;
use engine::{Inner, LOOP_TOO_LARGE, Loop, Outcome, Slot};
use services::run::Session;
use types::{Error, Result};
use workflow::limits::RESULT_MAX_BYTES;
use workflow::{Body, StepIx, StepKind};

type Made = BTreeMap<Slot, Arc<Value>>;

/// The result of a loop whose rounds are over.
pub(crate) async fn close(session: &Session, step: StepIx) -> Result<Outcome> {
    let plan = Arc::clone(session.machine().plan());
    let planned = plan.step(step);
    let gone = || Error::internal("a loop that is not under way");
    let body = planned.body.as_ref().ok_or_else(gone)?;
    let made = session.made_by_rounds(step).await?;
    let (attempt, rounds) = session.machine().rounds(step).ok_or_else(gone)?;
    let result = match &planned.step.kind {
        StepKind::ForEach(each) => {
            for_each(rounds, &made, |round| (step, attempt, round), body, each.for_each_max_parallel)
        }
        _ => iterations(rounds, &made, |round| (step, attempt, round), body),
    };
    let outcome = Outcome::success(result);
    match &outcome {
        Outcome::Success { bytes, .. } if *bytes > RESULT_MAX_BYTES => {
            Ok(Outcome::too_large(&format!("The loop's result takes {bytes} bytes of JSON"), LOOP_TOO_LARGE))
        }
        _ => Ok(outcome),
    }
}

fn for_each(
    rounds: &Loop,
    made: &Made,
    of: impl Fn(u32) -> (StepIx, u32, u32),
    body: &Body,
    max_parallel: u32,
) -> Value {
    let result = |index: u32| {
        if rounds.failed.contains(&index) {
            let error = made.get(&slot(of(index), Inner::FAILURE)).map(|error| Value::clone(error));
            return json!({ "index": index, "error": error });
        }
        let (outputs, last) = outputs(made, of(index), body);
        json!({ "index": index, "body": outputs, "result": last })
    };
    let results: Vec<Value> = (0..rounds.total).map(result).collect();
    let mut whole = json!({
        "count": rounds.total,
        "max_parallel": max_parallel,
        "succeeded_count": rounds.succeeded,
        "failed_count": rounds.failed.len(),
        "results": results,
    });
    if !rounds.failed.is_empty() {
        whole["partial_success"] = json!(true);
    }
    whole
}

fn iterations(rounds: &Loop, made: &Made, of: impl Fn(u32) -> (StepIx, u32, u32), body: &Body) -> Value {
    let all: Vec<Value> = (0..rounds.next)
        .map(|index| json!({ "iteration": index, "body": outputs(made, of(index), body).0 }))
        .collect();
    let last = all.last().map_or_else(|| json!({}), |last| last["body"].clone());
    json!({
        "iteration_count": rounds.next,
        "max_iterations": rounds.total,
        "stopped_reason": if rounds.condition_met { "condition_met" } else { "max_iterations" },
        "last": last,
        "iterations": all,
    })
}

/// What the inner steps of a round made, by id, and the last of it.
fn outputs(made: &Made, round: (StepIx, u32, u32), body: &Body) -> (Value, Value) {
    let places = slot(round, 0)..slot(round, Inner::FAILURE);
    let mut outputs = Map::new();
    let mut last = Value::Null;
    for (at, output) in made.range(places) {
        let place = at.inner.map_or(0, |inner| inner.place);
        last = Value::clone(output);
        outputs.insert(inner_id(body, place), last.clone());
    }
    (Value::Object(outputs), last)
}

fn slot((step, attempt, round): (StepIx, u32, u32), place: u16) -> Slot {
    Slot { step, inner: Some(Inner { attempt, round, place }) }
}
