//! The edges of a graph or of a loop body: who waits for whom, in which order, and what is wrong.
//!
//! The same code serves the plan and the validation, so that what is published is what was checked.
//! Reachability is a closure over bit sets (at most 500 × 500 × 8 words): no recursion, whatever the shape.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use super::limits::STEPS_MAX;
use super::step_set::{StepIx, StepSet};
use types::issue::{Check, Issue};
use types::suggest::{closest, quote};

/// Suggestions cost a comparison with every id; past this many nobody reads them.
const SUGGESTIONS_MAX: usize = 50;

/// A longer cycle is printed by its ends.
const CYCLE_PRINTED: usize = 40;

/// What the edges are made of.
pub(super) struct Node<'a> {
    /// The step's id; empty when it has none, and then nothing can refer to it.
    pub(super) id: &'a str,
    /// The ids it waits for; empty ones stand for something unreadable, reported elsewhere.
    pub(super) depends_on: &'a [String],
    /// Where the step is, such as `$.steps[3]`.
    pub(super) path: String,
}

/// Edges by index.
#[derive(Debug, Default)]
pub(super) struct Edges {
    pub(super) ids: BTreeMap<String, StepIx>,
    /// Ids with hyphens as scripts may write them, `fetch_pr` for `fetch-pr`.
    aliases: BTreeMap<String, StepIx>,
    pub(super) depends_on: Vec<Vec<StepIx>>,
    pub(super) dependants: Vec<Vec<StepIx>>,
    pub(super) ancestors: Vec<StepSet>,
    /// Every step after all that it waits for, otherwise in the order of the array. Steps on a cycle,
    /// and what waits for them, are missing.
    pub(super) order: Vec<StepIx>,
}

/// Wires up to 500 nodes. What can be wired is, whatever the issues.
pub(super) fn wire(nodes: &[Node<'_>]) -> (Edges, Vec<Issue>) {
    let nodes = &nodes[..nodes.len().min(STEPS_MAX)];
    let mut issues = Vec::new();
    let ids = unique_ids(nodes, &mut issues);
    let depends_on = resolve(nodes, &ids, &mut issues);
    let mut dependants = vec![Vec::new(); nodes.len()];
    for (index, needed) in depends_on.iter().enumerate() {
        for ix in needed {
            dependants[ix.index()].push(StepIx::at(index));
        }
    }
    let ancestors = close(&depends_on);
    let order = topological(&depends_on, &dependants);
    if order.len() < nodes.len() {
        report_cycles(nodes, &depends_on, &ancestors, &mut issues);
    }
    let hyphenated = ids.iter().filter(|(id, _)| id.contains('-'));
    let aliases = hyphenated.map(|(id, ix)| (id.replace('-', "_"), *ix)).collect();
    (Edges { ids, aliases, depends_on, dependants, ancestors, order }, issues)
}

impl Edges {
    /// The step that a script means by `steps.<name>`: the one with that id, else the one whose id has
    /// hyphens where the name has underscores.
    pub(super) fn called(&self, name: &str) -> Option<StepIx> {
        self.ids.get(name).or_else(|| self.aliases.get(name)).copied()
    }
}

/// Inner ids of the body at `path` that a step of the graph already has: templates could not tell them
/// apart.
pub(super) fn clashes<'a>(
    inner: impl Iterator<Item = &'a str>,
    path: &str,
    outer: &BTreeMap<String, StepIx>,
) -> Vec<Issue> {
    let clashing = inner.enumerate().filter(|(_, id)| outer.contains_key(*id));
    clashing
        .map(|(place, id)| {
            let path = format!("{path}[{place}].id");
            let message = format!("the inner id {:?} is also the id of a step of the graph", quote(id));
            Issue::error(Check::Dependencies, "inner_id_clash", path, message)
                .at_step(id)
                .suggest("give the inner step an id that no other step has")
        })
        .collect()
}

fn unique_ids(nodes: &[Node<'_>], issues: &mut Vec<Issue>) -> BTreeMap<String, StepIx> {
    let mut ids: BTreeMap<String, StepIx> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| !node.id.is_empty()) {
        if let Some(first) = ids.get(node.id) {
            let message =
                format!("the id {:?} is already used by {}", quote(node.id), nodes[first.index()].path);
            issues.push(
                Issue::error(Check::Dependencies, "duplicate_step_id", format!("{}.id", node.path), message)
                    .at_step(node.id)
                    .suggest("give each step an id of its own"),
            );
        } else {
            ids.insert(node.id.to_owned(), StepIx::at(index));
        }
    }
    ids
}

fn resolve(nodes: &[Node<'_>], ids: &BTreeMap<String, StepIx>, issues: &mut Vec<Issue>) -> Vec<Vec<StepIx>> {
    let mut suggestions = SUGGESTIONS_MAX;
    let mut resolved = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut needed = Vec::with_capacity(node.depends_on.len().min(nodes.len()));
        let mut seen = BTreeSet::new();
        for (place, id) in node.depends_on.iter().enumerate().filter(|(_, id)| !id.is_empty()) {
            let path = || format!("{}.depends_on[{place}]", node.path);
            if !seen.insert(id.as_str()) {
                let message = format!("{:?} is listed more than once", quote(id));
                issues.push(
                    Issue::warning(Check::Dependencies, "duplicate_dependency", path(), message)
                        .at_step(node.id)
                        .suggest("list it once"),
                );
            } else if let Some(ix) = ids.get(id) {
                needed.push(*ix);
            } else {
                let near = (suggestions > 0)
                    .then(|| closest(id, ids.keys().map(String::as_str).filter(|other| *other != node.id)))
                    .flatten();
                suggestions = suggestions.saturating_sub(1);
                issues.push(unknown_dependency(node, id, path(), near));
            }
        }
        resolved.push(needed);
    }
    resolved
}

fn unknown_dependency(node: &Node<'_>, id: &str, path: String, near: Option<&str>) -> Issue {
    let message = format!("there is no step {:?} to wait for", quote(id));
    Issue::error(Check::Dependencies, "unknown_dependency", path, message).at_step(node.id).suggest(
        match near {
            Some(near) => format!("did you mean {near:?}?"),
            None => "name a step of the same list, or remove the entry".to_owned(),
        },
    )
}

/// Everything that each step waits for, directly or not (Warshall's closure).
fn close(depends_on: &[Vec<StepIx>]) -> Vec<StepSet> {
    let mut reach: Vec<StepSet> = depends_on.iter().map(|needed| needed.iter().copied().collect()).collect();
    for through in 0..reach.len() {
        let further = reach[through];
        for set in &mut reach {
            if set.contains(StepIx::at(through)) {
                set.extend_with(&further);
            }
        }
    }
    reach
}

/// Kahn's order, taking the lowest index among those that could come next.
fn topological(depends_on: &[Vec<StepIx>], dependants: &[Vec<StepIx>]) -> Vec<StepIx> {
    let mut missing: Vec<usize> = depends_on.iter().map(Vec::len).collect();
    let mut free: BinaryHeap<Reverse<StepIx>> = missing
        .iter()
        .enumerate()
        .filter(|(_, missing)| **missing == 0)
        .map(|(index, _)| Reverse(StepIx::at(index)))
        .collect();
    let mut order = Vec::with_capacity(depends_on.len());
    while let Some(Reverse(ix)) = free.pop() {
        order.push(ix);
        for dependant in &dependants[ix.index()] {
            missing[dependant.index()] -= 1;
            if missing[dependant.index()] == 0 {
                free.push(Reverse(*dependant));
            }
        }
    }
    order
}

/// One issue per knot of steps that wait for each other, printing a shortest cycle through its first.
fn report_cycles(
    nodes: &[Node<'_>],
    depends_on: &[Vec<StepIx>],
    ancestors: &[StepSet],
    issues: &mut Vec<Issue>,
) {
    let mut reported = StepSet::default();
    for start in (0..nodes.len()).map(StepIx::at) {
        let waits_for_itself = ancestors[start.index()].contains(start);
        if !waits_for_itself || reported.contains(start) {
            continue;
        }
        let cycle = shortest_cycle(start, depends_on);
        for ix in ancestors[start.index()].iter() {
            if ancestors[ix.index()].contains(start) {
                reported.insert(ix);
            }
        }
        let ids: Vec<&str> = cycle.iter().map(|ix| nodes[ix.index()].id).collect();
        let node = &nodes[start.index()];
        let next = cycle.get(1).map_or("", |ix| nodes[ix.index()].id);
        let place = node.depends_on.iter().position(|id| id == next).unwrap_or(0);
        let message = format!("{}: each of these waits for the next", printed(&ids));
        issues.push(
            Issue::error(
                Check::Dependencies,
                "dependency_cycle",
                format!("{}.depends_on[{place}]", node.path),
                message,
            )
            .at_step(node.id)
            .suggest("remove one of these dependencies; to repeat steps use a while step"),
        );
    }
}

/// `a → b → a`; of a long cycle the two ends.
fn printed(cycle: &[&str]) -> String {
    let ids = |cycle: &[&str]| cycle.iter().map(|id| quote(id)).collect::<Vec<_>>().join(" → ");
    let end = CYCLE_PRINTED / 2;
    if cycle.len() <= CYCLE_PRINTED {
        return ids(cycle);
    }
    let (left_out, last) = (cycle.len() - 2 * end, &cycle[cycle.len() - end..]);
    format!("{} → … {left_out} more … → {}", ids(&cycle[..end]), ids(last))
}

/// The shortest way from `start` over dependencies back to it, both ends included.
fn shortest_cycle(start: StepIx, depends_on: &[Vec<StepIx>]) -> Vec<StepIx> {
    let mut came_from: Vec<Option<StepIx>> = vec![None; depends_on.len()];
    let mut ahead = VecDeque::from([start]);
    'search: while let Some(ix) = ahead.pop_front() {
        for needed in &depends_on[ix.index()] {
            if came_from[needed.index()].is_none() {
                came_from[needed.index()] = Some(ix);
                if *needed == start {
                    break 'search;
                }
                ahead.push_back(*needed);
            }
        }
    }
    let mut cycle = vec![start];
    let mut at = start;
    while let Some(before) = came_from[at.index()] {
        cycle.push(before);
        at = before;
        if at == start {
            break;
        }
    }
    cycle.reverse();
    cycle
}
