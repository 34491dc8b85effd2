//! A graph as the checks look at it: what could be read, wired.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::edges::{self, Edges, Node};
use super::super::limits::ID_MAX_CHARS;
use super::super::read::{BODY_FIELDS, ReadStep, Reading};
use super::super::step_set::{StepIx, StepSet};
use super::super::steps::Step;
use types::issue::{Check, Issue};
use types::suggest::cut;

/// A graph, wired.
pub(super) struct View<'a> {
    pub(super) steps: &'a [ReadStep<'a>],
    pub(super) input_schema: Option<&'a Value>,
    /// The list that the schema was written as.
    pub(super) input_fields: Option<&'a [Value]>,
    pub(super) edges: Edges,
    bodies: BTreeMap<usize, BodyView>,
    /// The loop that each inner id belongs to.
    owners: BTreeMap<&'a str, usize>,
}

/// The body of a loop, wired.
pub(super) struct BodyView {
    pub(super) edges: Edges,
    /// By place in the array: when the inner step runs.
    pub(super) position: Vec<usize>,
}

/// A step that could be read, be it of the graph or of a body.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) read: &'a ReadStep<'a>,
    pub(super) raw: &'a Map<String, Value>,
    pub(super) step: &'a Step,
    /// The step of the graph that it is, or whose body it is in.
    pub(super) top: usize,
    /// Its place in the body.
    pub(super) inner: Option<usize>,
}

impl<'a> View<'a> {
    /// Wires what could be read.
    pub(super) fn new(reading: &'a Reading<'a>) -> (Self, Vec<Issue>) {
        let steps = reading.steps.as_slice();
        let (edges, mut issues) = wire(steps);
        let mut bodies = BTreeMap::new();
        let mut owners = BTreeMap::new();
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| is_loop(step)) {
            let (body, found) = wire(&step.body);
            issues.extend(found);
            let inner = step.body.iter().map(|inner| inner.id);
            owners.extend(inner.clone().map(|id| (id, index)));
            issues.extend(edges::clashes(inner, &body_path(step), &edges.ids));
            let mut position: Vec<usize> = (0..step.body.len()).collect();
            if body.order.len() == position.len() {
                for (when, ix) in body.order.iter().enumerate() {
                    position[ix.index()] = when;
                }
            }
            bodies.insert(index, BodyView { edges: body, position });
        }
        let (input_schema, input_fields) = (reading.input_schema.as_deref(), reading.input_fields);
        (Self { steps, input_schema, input_fields, edges, bodies, owners }, issues)
    }

    /// Every step whose type could be read, each loop followed by its body. Loops inside loops are
    /// refused as a whole, so their bodies are not looked at.
    pub(super) fn sites(&self) -> impl Iterator<Item = Site<'a>> + use<'a> {
        let site = |read: &'a ReadStep<'a>, top, inner| {
            Some(Site { read, raw: read.raw?, step: read.step.as_ref()?, top, inner })
        };
        self.steps.iter().enumerate().flat_map(move |(top, read)| {
            let body = read.body.iter().enumerate();
            let inner = body.filter_map(move |(place, inner)| site(inner, top, Some(place)));
            site(read, top, None).into_iter().chain(inner)
        })
    }

    /// The ids of the steps in an order in which they could run; empty when they wait for each other.
    pub(super) fn order(&self) -> Vec<String> {
        match self.edges.order.len() == self.steps.len() {
            true => self.edges.order.iter().map(|ix| cut(self.id(*ix), ID_MAX_CHARS).into_owned()).collect(),
            false => Vec::new(),
        }
    }

    /// The wired body of the loop at `top`.
    pub(super) fn body(&self, top: usize) -> Option<&BodyView> {
        self.bodies.get(&top)
    }

    /// What is settled before the step at `top` can start.
    pub(super) fn ancestors(&self, top: usize) -> StepSet {
        self.edges.ancestors.get(top).copied().unwrap_or_default()
    }

    /// The id of the loop that has an inner step with this id.
    pub(super) fn owner_of(&self, inner_id: &str) -> Option<&'a str> {
        self.owners.get(inner_id).map(|top| self.id(StepIx::at(*top)))
    }

    /// The ancestors of a site (in a body, of its loop), narrowed by the allowlists of both.
    pub(super) fn readable(&self, site: &Site<'_>) -> StepSet {
        let outer = self.steps.get(site.top).and_then(|read| read.step.as_ref());
        let own = site.inner.is_some().then_some(&site.step.input_allowlist);
        let mut readable = self.ancestors(site.top);
        for list in outer.map(|step| &step.input_allowlist).into_iter().chain(own) {
            if !list.is_empty() {
                let allowed: StepSet = list.iter().filter_map(|id| self.edges.ids.get(id)).copied().collect();
                readable = readable.iter().filter(|ix| allowed.contains(*ix)).collect();
            }
        }
        readable
    }

    /// The id of the step at `ix`.
    pub(super) fn id(&self, ix: StepIx) -> &'a str {
        self.steps.get(ix.index()).map_or("", |step| step.id)
    }
}

impl<'a> Site<'a> {
    /// The field as the author wrote it; null counts as not given.
    pub(super) fn given(&self, field: &str) -> Option<&'a Value> {
        self.raw.get(field).filter(|value| !value.is_null())
    }

    /// Where the field is.
    pub(super) fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.read.path)
    }

    /// The type, as graphs write it.
    pub(super) fn type_name(&self) -> &'static str {
        self.step.kind.type_name()
    }

    /// An error about one of its fields.
    pub(super) fn error(
        &self,
        check: Check,
        code: &'static str,
        field: &str,
        message: impl Into<String>,
    ) -> Issue {
        Issue::error(check, code, self.path(field), message).at_step(self.read.id)
    }

    /// A warning about one of its fields.
    pub(super) fn warning(
        &self,
        check: Check,
        code: &'static str,
        field: &str,
        message: impl Into<String>,
    ) -> Issue {
        Issue::warning(check, code, self.path(field), message).at_step(self.read.id)
    }
}

fn wire(steps: &[ReadStep<'_>]) -> (Edges, Vec<Issue>) {
    let nodes: Vec<Node<'_>> = steps
        .iter()
        .map(|read| Node {
            id: read.id,
            depends_on: read.step.as_ref().map_or(&[], |step| step.depends_on.as_slice()),
            path: read.path.clone(),
        })
        .collect();
    edges::wire(&nodes)
}

fn is_loop(read: &ReadStep<'_>) -> bool {
    read.step.as_ref().is_some_and(|step| matches!(step.kind.type_name(), "for_each" | "while"))
}

/// Where the body of a loop is.
pub(super) fn body_path(read: &ReadStep<'_>) -> String {
    let field = match read.step.as_ref().map(|step| step.kind.type_name()) {
        Some("for_each") => BODY_FIELDS[0],
        _ => BODY_FIELDS[1],
    };
    format!("{}.{field}", read.path)
}
