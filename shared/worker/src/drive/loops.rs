//! What comes of a loop: the outputs of its rounds, put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::scope::inner_id;
use engine::{Inner, LOOP_TOO_LARGE, Loop, Outcome, Slot};
use services::run::Session;
use types::json_text::JsonText;
use types::{Error, Result};
use workflow::limits::RESULT_MAX_BYTES;
use workflow::{Body, StepIx, StepKind};

type Made = BTreeMap<Slot, JsonText>;

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
) -> JsonText {
    let result = |index: u32| {
        let number = json!(index).into();
        if rounds.failed.contains(&index) {
            let error = made.get(&slot(of(index), Inner::FAILURE)).cloned().unwrap_or_default();
            return JsonText::object([("error", &error), ("index", &number)]);
        }
        let (outputs, last) = outputs(made, of(index), body);
        JsonText::object([("body", &outputs), ("index", &number), ("result", &last)])
    };
    let results: Vec<JsonText> = (0..rounds.total).map(result).collect();
    let mut whole = BTreeMap::from([
        ("count", json!(rounds.total).into()),
        ("max_parallel", json!(max_parallel).into()),
        ("succeeded_count", json!(rounds.succeeded).into()),
        ("failed_count", json!(rounds.failed.len()).into()),
        ("results", JsonText::array(&results)),
    ]);
    if !rounds.failed.is_empty() {
        whole.insert("partial_success", json!(true).into());
    }
    object(&whole)
}

fn iterations(rounds: &Loop, made: &Made, of: impl Fn(u32) -> (StepIx, u32, u32), body: &Body) -> JsonText {
    let outputs: Vec<JsonText> = (0..rounds.next).map(|index| outputs(made, of(index), body).0).collect();
    let numbered = outputs
        .iter()
        .zip(0_u32..)
        .map(|(outputs, index)| JsonText::object([("body", outputs), ("iteration", &json!(index).into())]));
    let all: Vec<JsonText> = numbered.collect();
    let reason = if rounds.condition_met { "condition_met" } else { "max_iterations" };
    object(&BTreeMap::from([
        ("iteration_count", json!(rounds.next).into()),
        ("max_iterations", json!(rounds.total).into()),
        ("stopped_reason", json!(reason).into()),
        ("last", outputs.last().cloned().unwrap_or_else(|| json!({}).into())),
        ("iterations", JsonText::array(&all)),
    ]))
}

fn object(members: &BTreeMap<&'static str, JsonText>) -> JsonText {
    JsonText::object(members.iter().map(|(key, text)| (*key, text)))
}

/// What the inner steps of a round made, by id, and the last of it.
fn outputs(made: &Made, round: (StepIx, u32, u32), body: &Body) -> (JsonText, JsonText) {
    let places = slot(round, 0)..slot(round, Inner::FAILURE);
    let mut outputs = BTreeMap::new();
    let mut last = JsonText::default();
    for (at, output) in made.range(places) {
        let place = at.inner.map_or(0, |inner| inner.place);
        last = output.clone();
        outputs.insert(inner_id(body, place), output);
    }
    (JsonText::object(outputs.iter().map(|(id, output)| (id.as_str(), *output))), last)
}

fn slot((step, attempt, round): (StepIx, u32, u32), place: u16) -> Slot {
    Slot { step, inner: Some(Inner { attempt, round, place }) }
}
