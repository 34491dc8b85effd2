//! Validation: what is wrong with a graph before it runs. Verdicts on whole graphs are kept.

mod asked;
mod others;
mod view;

use serde_json::Value;

use self::asked::Asked;
use self::others::Others;
use super::find::{find, find_with_draft};
use crate::state::AppState;
use platform::boxed;
use types::ids::{Place, WorkflowId};
use types::{Error, Result};
use workflow::graph_hash;
use workflow::validate::{Report, validate_with};

pub use self::asked::ValidationRequest;
pub use self::view::{Evidence, Validation};

/// Checks a workflow's draft, or a graph that is given, and keeps the verdict for a month under the graph's hash.
/// A [`Validation`] as it is answered and kept.
///
/// # Errors
/// Not found when there is no such workflow; invalid, naming a check that there is none of; unavailable when a store
/// does not answer.
#[boxed]
pub async fn validate(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    mut wanted: ValidationRequest,
) -> Result<Value> {
    let (record, graph) = match wanted.graph.take() {
        Some(graph) => (find(state, place, id).await?, graph),
        None => find_with_draft(state, place, id).await?,
    };
    let asked = Asked::read(wanted, graph, record.run_setup.as_deref())?;
    let is_of_all_steps = asked.is_of_all_steps();
    let (report, _) = check(state, place, Some(id), asked).await?;
    let hash = report.graph_hash.clone();
    let now = state.clock.now();
    let answer = Validation::new(report, now).write()?;
    // A verdict on some steps is none on the graph.
    if is_of_all_steps {
        state.store.keep_validation(place, id, &hash, &answer, now).await?;
    }
    Ok(answer)
}

/// Checks a graph that is not saved. A [`Validation`] as it is answered.
///
/// # Errors
/// Invalid without a graph, and naming a check that there is none of; unavailable when a store does not answer.
#[boxed]
pub async fn validate_graph(state: &AppState, place: &Place, mut wanted: ValidationRequest) -> Result<Value> {
    let graph = wanted
        .graph
        .take()
        .ok_or_else(|| Error::invalid("graph: is missing; there is no saved draft to check here."))?;
    let asked = Asked::read(wanted, graph, None)?;
    let (report, _) = check(state, place, None, asked).await?;
    Validation::new(report, state.clock.now()).write()
}

/// The last validation of a graph of this workflow: of the one with this hash, or of the saved draft.
///
/// # Errors
/// Invalid when the hash is none; not found when there is no such workflow, or no validation of the graph.
#[boxed]
pub async fn last_validation(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    hash: Option<String>,
) -> Result<Value> {
    let hash = match hash {
        Some(hash) => {
            check_hash(&hash)?;
            find(state, place, id).await?;
            hash
        }
        None => graph_hash(&find_with_draft(state, place, id).await?.1),
    };
    let kept = state.store.validation(place, id, &hash, state.clock.now()).await?;
    kept.ok_or_else(|| Error::not_found("validation of this graph"))
}

/// Makes every check of a workflow's graph, with nothing else given.
///
/// # Errors
/// When a store does not answer.
pub(crate) async fn check_all(
    state: &AppState,
    place: &Place,
    own: WorkflowId,
    graph: Value,
) -> Result<(Report, Value)> {
    check(state, place, Some(own), Asked::all_of(graph)).await
}

/// Checks a graph. Scripts are compiled, and run where outputs are given, so this takes a thread that may
/// block.
async fn check(
    state: &AppState,
    place: &Place,
    own: Option<WorkflowId>,
    what: Asked,
) -> Result<(Report, Value)> {
    let others = Others::load(state, place, own, &what.graph).await?;
    let check = move || {
        let mut report = validate_with(&what.request(), &others);
        report.add(what.issues);
        (report, what.graph)
    };
    state.threads.run_soon(&place.tenant_id, check).await
}

fn check_hash(hash: &str) -> Result<()> {
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    match hash.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.bytes().all(is_hex) => Ok(()),
        _ => Err(Error::invalid(
            "graph_hash: must be sha256: and 64 hexadecimal digits, as validations answer it.",
        )),
    }
}
