//! Reading a graph: from JSON to types, reporting everything that has the wrong shape.
//!
//! serde stops at the first mistake, and an author wants to see all of them. So each step is read on its
//! own; when a field does not fit, it is reported, taken out, and the step is read again. What remains is
//! as much of the graph as can be understood, which is what the dry run goes on with.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::graph::Graph;
use super::input_fields;
use super::limits::{GRAPH_MAX_BYTES, GRAPH_MAX_COST, ID_MAX_CHARS, ISSUES_MAX};
use super::shape::{Shape, wrong_type};
use super::size::json_bytes_up_to;
use super::step_types::{COMMON_FIELDS, read_shape};
use super::steps::{Step, StepKind};
use types::issue::{Check, Issue};
use types::json_cost::cost;
use types::suggest::{closest, cut, quote};

#[cfg(test)]
mod tests;

/// The fields that hold the steps of a body, which are read one by one.
pub(super) const BODY_FIELDS: [&str; 2] = ["for_each_body_steps", "while_body_steps"];

/// As much of a graph as could be read.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    pub(super) steps: Vec<ReadStep<'a>>,
    /// A JSON Schema, whichever form it was written in.
    pub(super) input_schema: Option<Cow<'a, Value>>,
    /// The list that it was written as.
    pub(super) input_fields: Option<&'a [Value]>,
    pub(super) issues: Vec<Issue>,
}

/// As much of a step as could be read.
#[derive(Debug)]
pub(super) struct ReadStep<'a> {
    /// Where it is, such as `$.steps[3]`.
    pub(super) path: String,
    /// What the author wrote; `None` when it is no object.
    pub(super) raw: Option<&'a Map<String, Value>>,
    /// Its id; empty when it has none that could be read.
    pub(super) id: &'a str,
    /// The step without its body; `None` when its type is not known.
    pub(super) step: Option<Step>,
    /// The inner steps of a loop.
    pub(super) body: Vec<ReadStep<'a>>,
}

impl Graph {
    /// Reads a graph. It must have the right shapes (an object with `steps`, each an object with a
    /// string `id`, a known `type` and fields of the right types); it need not be valid.
    ///
    /// # Errors
    /// Every misshapen part, and a graph larger than 512 KiB.
    pub fn read(value: &Value) -> Result<Self, Vec<Issue>> {
        graph(value)
    }
}

/// See [`Graph::read`].
fn graph(value: &Value) -> Result<Graph, Vec<Issue>> {
    if let Some(issue) = too_large(value) {
        return Err(vec![issue]);
    }
    let Reading { steps, input_schema, input_fields: _, mut issues } = lenient(value);
    if issues.is_empty() {
        let steps = steps.into_iter().filter_map(whole).collect();
        return Ok(Graph { steps, input_schema: input_schema.map(Cow::into_owned) });
    }
    issues.truncate(ISSUES_MAX);
    Err(issues)
}

/// A step with its body put back; everything was readable.
fn whole(read: ReadStep<'_>) -> Option<Step> {
    let mut step = read.step?;
    let body = read.body.into_iter().filter_map(whole).collect();
    match &mut step.kind {
        StepKind::ForEach(kind) => kind.for_each_body_steps = body,
        StepKind::While(kind) => kind.while_body_steps = body,
        _ => {}
    }
    Some(step)
}

/// The issue of a graph that is larger than 512 KiB, or takes too much memory: it is read again and again.
pub(super) fn too_large(value: &Value) -> Option<Issue> {
    let message = match json_bytes_up_to(value, GRAPH_MAX_BYTES) {
        None => format!("the graph is larger than {} KiB of JSON", GRAPH_MAX_BYTES / 1024),
        Some(_) if cost(value.to_string().as_bytes()) > GRAPH_MAX_COST => {
            "the graph consists of too many small values".to_owned()
        }
        Some(_) => return None,
    };
    let suggestion = "move parts of it into workflows of their own and call them with workflow_call";
    Some(Issue::error(Check::Graph, "graph_too_large", "$", message).suggest(suggestion))
}

/// Reads what can be read and reports the rest.
pub(super) fn lenient(value: &Value) -> Reading<'_> {
    let mut reading = Reading::default();
    let issues = &mut reading.issues;
    let Value::Object(graph) = value else {
        issues.push(wrong_type("$", "the graph", "an object with a list of steps", value));
        return reading;
    };
    match graph.get("input_schema") {
        None | Some(Value::Null) => {}
        Some(schema @ Value::Object(_)) => reading.input_schema = Some(Cow::Borrowed(schema)),
        Some(Value::Array(fields)) => {
            reading.input_schema = Some(Cow::Owned(input_fields::schema_of(fields, issues)));
            reading.input_fields = Some(fields);
        }
        Some(other) => {
            let expected = "a JSON Schema object, or a list of fields with name, type and optional";
            issues.push(wrong_type("$.input_schema", "input_schema", expected, other));
        }
    }
    match graph.get("steps") {
        None => issues.push(
            Issue::error(Check::Graph, "missing_steps", "$.steps", "the graph has no steps")
                .suggest("add \"steps\": [ … ]"),
        ),
        Some(Value::Array(items)) => reading.steps = list(items, "$.steps", issues),
        Some(other) => issues.push(wrong_type("$.steps", "steps", "a list", other)),
    }
    reading
}

fn list<'a>(items: &'a [Value], path: &str, issues: &mut Vec<Issue>) -> Vec<ReadStep<'a>> {
    let places = items.iter().enumerate();
    places.map(|(index, item)| step(item, format!("{path}[{index}]"), issues)).collect()
}

fn step<'a>(value: &'a Value, path: String, issues: &mut Vec<Issue>) -> ReadStep<'a> {
    let Value::Object(raw) = value else {
        issues.push(wrong_type(&path, "a step", "an object", value));
        return ReadStep { path, raw: None, id: "", step: None, body: Vec::new() };
    };
    let before = issues.len();
    let id = id(raw, &path, issues);
    let kind = type_name(raw, &path, issues);
    let (step, body) = match kind {
        Some(kind) => (typed(raw, kind, id, &path, issues), body(raw, kind, &path, issues)),
        None => (None, Vec::new()),
    };
    if !id.is_empty() {
        // Inner steps have named themselves already.
        for issue in issues[before..].iter_mut().filter(|issue| issue.step_id.is_none()) {
            issue.step_id = Some(cut(id, ID_MAX_CHARS).into_owned());
        }
    }
    ReadStep { path, raw: Some(raw), id, step, body }
}

fn id<'a>(raw: &'a Map<String, Value>, path: &str, issues: &mut Vec<Issue>) -> &'a str {
    match raw.get("id") {
        Some(Value::String(id)) => return id,
        None | Some(Value::Null) => issues.push(
            Issue::error(Check::Graph, "missing_id", format!("{path}.id"), "the step has no id")
                .suggest("add an id of letters, digits, _ and -"),
        ),
        Some(other) => issues.push(wrong_type(&format!("{path}.id"), "id", "a string", other)),
    }
    ""
}

fn type_name<'a>(raw: &'a Map<String, Value>, path: &str, issues: &mut Vec<Issue>) -> Option<&'a str> {
    let path = format!("{path}.type");
    let issue = match raw.get("type") {
        Some(Value::String(name)) if StepKind::TYPES.contains(&name.as_str()) => return Some(name),
        Some(Value::String(name)) => {
            let message = format!("there is no step type {:?}", quote(name));
            Issue::error(Check::Graph, "unknown_type", path, message).suggest(instead_of_type(name))
        }
        None | Some(Value::Null) => {
            Issue::error(Check::Graph, "missing_type", path, "the step has no type").suggest(known_types())
        }
        Some(other) => wrong_type(&path, "type", "a string", other),
    };
    issues.push(issue);
    None
}

fn instead_of_type(name: &str) -> String {
    match name {
        "condition" => "write the condition into the `condition` field of the step it guards".to_owned(),
        "parallel" => {
            "steps with no path between them over depends_on run in parallel by themselves".to_owned()
        }
        "sequence" => "say the order with depends_on".to_owned(),
        _ => match closest(name, StepKind::TYPES) {
            Some(near) => format!("did you mean {near:?}?"),
            None => known_types(),
        },
    }
}

fn known_types() -> String {
    format!("the types are {}", StepKind::TYPES.join(", "))
}

/// Reads the step without its body.
fn typed(
    raw: &Map<String, Value>,
    kind: &str,
    id: &str,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Option<Step> {
    // null counts as not given: exports write it for fields that nobody filled in.
    let given = raw.iter().filter(|(key, value)| !value.is_null() && !BODY_FIELDS.contains(&key.as_str()));
    let mut fields: Map<String, Value> = given.map(|(key, value)| (key.clone(), value.clone())).collect();
    fields.insert("id".to_owned(), Value::from(id));
    let mut shape = Shape { fields: &mut fields, path, issues };
    // The type's own fields by its own struct: through the flattened enum serde could only say that something does not
    // fit, not where, and would hold its numbers back from what reads whole ones.
    let own = read_shape(kind, &mut shape)?;
    shape.fields.retain(|field, _| COMMON_FIELDS.contains(&field.as_str()));
    let mut step: Step = shape.read()?;
    step.kind = own;
    if step.name.is_empty() && !fields.contains_key("name") {
        id.clone_into(&mut step.name);
    }
    Some(step)
}

fn body<'a>(
    raw: &'a Map<String, Value>,
    kind: &str,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Vec<ReadStep<'a>> {
    let field = match kind {
        "for_each" => BODY_FIELDS[0],
        "while" => BODY_FIELDS[1],
        _ => return Vec::new(),
    };
    match raw.get(field) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => list(items, &format!("{path}.{field}"), issues),
        Some(other) => {
            issues.push(wrong_type(&format!("{path}.{field}"), field, "a list of steps", other));
            Vec::new()
        }
    }
}
