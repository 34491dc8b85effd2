//! The steps that a dry run is asked about.

use std::collections::BTreeSet;

use super::super::plan::split_inner_step_id;
use super::super::read::{ReadStep, Reading};
use super::findings::Findings;
use types::issue::{Check, Issue};
use types::suggest::quote;

/// Leaves out the issues of other steps. A loop brings its inner steps; a step that is not there is an error, for
/// nothing would be told of it.
pub(super) fn to_steps(reading: &Reading<'_>, wanted: &[String], findings: &mut Findings) {
    if wanted.is_empty() {
        return;
    }
    let mut ids = BTreeSet::new();
    for (place, id) in wanted.iter().enumerate() {
        let found = named(&reading.steps, id);
        if found.is_empty() {
            let known = reading.steps.iter().flat_map(|step| std::iter::once(step.id).chain(inner_ids(step)));
            let suggestion = findings.did_you_mean(id, known, || "name a step of the graph".to_owned());
            let message = format!("step_ids: the graph has no step {:?}", quote(id));
            let path = format!("$.step_ids[{place}]");
            findings.push(Issue::error(Check::Graph, "unknown_step_id", path, message).suggest(suggestion));
        }
        ids.extend(found.into_iter().map(str::to_owned));
    }
    findings.only_steps(ids);
}

fn inner_ids<'a>(step: &'a ReadStep<'_>) -> impl Iterator<Item = &'a str> {
    step.body.iter().map(|inner| inner.id)
}

/// The ids of what this one names: a step with its inner steps, or an inner step.
fn named<'a>(steps: &'a [ReadStep<'_>], id: &str) -> Vec<&'a str> {
    let inner = |inner: &str, parent: Option<&str>| {
        let parents = steps.iter().filter(move |step| parent.is_none_or(|parent| step.id == parent));
        let found: Vec<&str> = parents.flat_map(inner_ids).filter(|id| *id == inner).take(1).collect();
        found
    };
    if let Some((parent, inner_id)) = split_inner_step_id(id) {
        return inner(inner_id, Some(parent));
    }
    match steps.iter().find(|step| step.id == id) {
        Some(step) => std::iter::once(step.id).chain(inner_ids(step)).collect(),
        None => inner(id, None),
    }
}
