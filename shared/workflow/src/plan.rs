//! The compiled form of a graph: edges by index, a stable order, parsed conditions.
//!
//! The engine runs plans and nothing else. Compiling refuses what no run could make sense of (ids,
//! edges, conditions); the limits and the good advice are [`validate`](super::validate)'s.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::edges::{self, Edges, Node};
use super::graph::Graph;
use super::limits::STEPS_MAX;
use super::step_set::{StepIx, StepSet};
use super::steps::Step;
use super::steps::StepKind;
use super::template::Condition;
use types::issue::{Check, Issue};

#[cfg(test)]
mod tests;

/// Stands between a loop's id and its inner step's in what readers see; no id has it.
const INNER_MARK: &str = "#body#";

/// The id of an inner step as readers see it: ids of inner steps are unique in their body only.
pub fn inner_step_id(parent: &str, inner: &str) -> String {
    format!("{parent}{INNER_MARK}{inner}")
}

/// The loop and the inner step that such an id names.
pub(super) fn split_inner_step_id(id: &str) -> Option<(&str, &str)> {
    id.split_once(INNER_MARK)
}

/// A compiled graph.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The steps, in the graph's order.
    pub steps: Vec<PlanStep>,
    /// Every step after all that it depends on; among those that could come next, the graph's order.
    pub order: Vec<StepIx>,
    /// The steps that depend on nothing.
    pub roots: Vec<StepIx>,
    /// The steps that nothing depends on.
    pub sinks: Vec<StepIx>,
    /// Whether a step waits for an entry grant, so that runs are episodes, which `terminal` steps close.
    pub episodic: bool,
    /// The JSON Schema of the input.
    pub input_schema: Option<Value>,
    ids: BTreeMap<String, StepIx>,
}

/// A step of a compiled graph.
#[derive(Debug, Clone)]
pub struct PlanStep {
    /// The step as the author wrote it.
    pub step: Step,
    /// What must be settled first.
    pub depends_on: Vec<StepIx>,
    /// What waits for this step.
    pub dependants: Vec<StepIx>,
    /// The parsed `condition`.
    pub condition: Option<Condition>,
    /// The parsed `skip_when`.
    pub skip_when: Option<Condition>,
    /// How long one attempt may take; `None` for a human task that waits without end.
    pub timeout: Option<Duration>,
    /// Everything that is settled before this step can start.
    pub ancestors: StepSet,
    /// The compiled body of a loop.
    pub body: Option<Body>,
}

/// The compiled body of a `for_each` or `while`.
#[derive(Debug, Clone)]
pub struct Body {
    /// The inner steps in the order in which they run, one after the other.
    pub steps: Vec<BodyStep>,
    /// The parsed `while_condition`.
    pub while_condition: Option<Condition>,
}

/// An inner step of a loop.
#[derive(Debug, Clone)]
pub struct BodyStep {
    /// The step as the author wrote it.
    pub step: Step,
    /// The places in [`Body::steps`] of the inner steps it depends on, all of them earlier.
    pub depends_on: Vec<usize>,
    /// The parsed `condition`.
    pub condition: Option<Condition>,
    /// The parsed `skip_when`.
    pub skip_when: Option<Condition>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
}

impl Plan {
    /// Whether a step of the graph, or an inner step of a loop, is such.
    pub fn any_step(&self, is_such: impl Fn(&Step) -> bool) -> bool {
        self.every_step().any(is_such)
    }

    /// Every step of the graph, each followed by the inner steps of its body.
    pub fn every_step(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().flat_map(|planned| {
            let body = planned.body.iter().flat_map(|body| &body.steps);
            std::iter::once(&planned.step).chain(body.map(|inner| &inner.step))
        })
    }

    /// Compiles a graph.
    ///
    /// # Errors
    /// Ids that are not unique, edges that lead nowhere, cycles, conditions that do not parse, and
    /// more than 500 steps in the graph or a body. Everything else is left to
    /// [`validate`](super::validate).
    pub fn compile(graph: Graph) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let edges = wire(&graph.steps, "$.steps", &mut issues);
        let mut steps = Vec::with_capacity(graph.steps.len());
        for (index, step) in graph.steps.into_iter().enumerate() {
            let path = format!("$.steps[{index}]");
            steps.push(PlanStep {
                condition: condition(&step, "condition", step.condition.as_deref(), &path, &mut issues),
                skip_when: condition(&step, "skip_when", step.skip_when.as_deref(), &path, &mut issues),
                timeout: step.timeout(),
                body: body(&step, &path, &edges.ids, &mut issues),
                depends_on: edges.depends_on.get(index).cloned().unwrap_or_default(),
                dependants: edges.dependants.get(index).cloned().unwrap_or_default(),
                ancestors: edges.ancestors.get(index).copied().unwrap_or_default(),
                step,
            });
        }
        issues.retain(Issue::is_error);
        if !issues.is_empty() {
            return Err(issues);
        }
        let ends = |ends: fn(&PlanStep) -> bool| {
            let all = steps.iter().enumerate();
            all.filter(|(_, step)| ends(step)).map(|(index, _)| StepIx::at(index)).collect()
        };
        Ok(Self {
            roots: ends(|step| step.depends_on.is_empty()),
            sinks: ends(|step| step.dependants.is_empty()),
            order: edges.order,
            episodic: steps.iter().any(|step| step.step.no_auto_start),
            input_schema: graph.input_schema,
            ids: edges.ids,
            steps,
        })
    }

    /// The step with this id; inner steps of loops are not found.
    pub fn find(&self, id: &str) -> Option<StepIx> {
        self.ids.get(id).copied()
    }

    /// The step at `ix`, which must come from this plan.
    pub fn step(&self, ix: StepIx) -> &PlanStep {
        &self.steps[ix.index()]
    }

    /// The step that readers know by this id, be it its own or that of one of its inner steps as events give it
    /// (`parent#body#inner`): what is asked of an inner step is answered by its loop.
    pub fn find_shown(&self, id: &str) -> Option<StepIx> {
        let Some((parent, inner)) = split_inner_step_id(id) else { return self.find(id) };
        let ix = self.find(parent)?;
        self.step(ix).body.as_ref()?.find(inner).map(|_| ix)
    }

    /// Everything that is settled before `ix` can start, in the graph's order.
    pub fn ancestors(&self, ix: StepIx) -> impl Iterator<Item = StepIx> + use<> {
        self.step(ix).ancestors.iter()
    }

    /// Everything that waits for `ix`, directly or not, in the graph's order.
    pub fn descendants(&self, ix: StepIx) -> impl Iterator<Item = StepIx> + use<'_> {
        let all = self.steps.iter().enumerate();
        all.filter(move |(_, step)| step.ancestors.contains(ix)).map(|(index, _)| StepIx::at(index))
    }

    /// What `ix` may read: its ancestors, narrowed by its `input_allowlist`.
    pub fn readable(&self, ix: StepIx) -> Vec<StepIx> {
        let allowed = &self.step(ix).step.input_allowlist;
        let narrowed: Option<StepSet> =
            (!allowed.is_empty()).then(|| allowed.iter().filter_map(|id| self.find(id)).collect());
        self.ancestors(ix).filter(|ix| narrowed.is_none_or(|set| set.contains(*ix))).collect()
    }
}

impl Body {
    /// The place in [`Body::steps`] of the inner step with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|inner| inner.step.id == id)
    }
}

/// Wires a list of steps, be it the graph's or a body's.
fn wire(steps: &[Step], path: &str, issues: &mut Vec<Issue>) -> Edges {
    if steps.len() > STEPS_MAX {
        let message = format!("{} steps; at most {STEPS_MAX} are allowed", steps.len());
        issues.push(Issue::error(Check::Graph, "too_many_steps", path, message));
    }
    let nodes: Vec<Node<'_>> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| Node {
            id: &step.id,
            depends_on: &step.depends_on,
            path: format!("{path}[{index}]"),
        })
        .collect();
    let (edges, found) = edges::wire(&nodes);
    issues.extend(found);
    edges
}

fn body(step: &Step, path: &str, outer: &BTreeMap<String, StepIx>, issues: &mut Vec<Issue>) -> Option<Body> {
    let (field, while_condition) = match &step.kind {
        StepKind::ForEach(_) => ("for_each_body_steps", None),
        StepKind::While(kind) => ("while_body_steps", kind.while_condition.as_deref()),
        _ => return None,
    };
    let while_condition = condition(step, "while_condition", while_condition, path, issues);
    let path = format!("{path}.{field}");
    let inner = step.kind.body();
    let edges = wire(inner, &path, issues);
    issues.extend(edges::clashes(inner.iter().map(|step| step.id.as_str()), &path, outer));
    let mut places = vec![0; inner.len()];
    for (place, ix) in edges.order.iter().enumerate() {
        places[ix.index()] = place;
    }
    let steps = edges
        .order
        .iter()
        .map(|ix| {
            let step = &inner[ix.index()];
            let path = format!("{path}[{}]", ix.0);
            BodyStep {
                step: step.clone(),
                depends_on: edges.depends_on[ix.index()].iter().map(|ix| places[ix.index()]).collect(),
                condition: condition(step, "condition", step.condition.as_deref(), &path, issues),
                skip_when: condition(step, "skip_when", step.skip_when.as_deref(), &path, issues),
                timeout: step.timeout(),
            }
        })
        .collect();
    Some(Body { steps, while_condition })
}

fn condition(
    step: &Step,
    field: &str,
    text: Option<&str>,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Option<Condition> {
    match Condition::parse(text?) {
        Ok(condition) => Some(condition),
        Err(error) => {
            issues.push(
                Issue::error(
                    Check::Templates,
                    "condition_syntax",
                    format!("{path}.{field}"),
                    error.to_string(),
                )
                .at_step(&step.id),
            );
            None
        }
    }
}
