//! Reading a graph: from JSON to types, reporting everything that has the wrong shape.
//!
//! serde stops at the first mistake, and an author wants to see all of them. So each step is read on its
//! own; when a field does not fit, it is reported, taken out, and the step is read again. What remains is
//! as much of the graph as can be understood, which is what the dry run goes on with.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use types::strict::Strict;
use types::text::in_json_words;

use super::graph::{COMMON_FIELDS, Graph, Step};
use super::input_fields;
use super::limits::{GRAPH_MAX_BYTES, ID_MAX_CHARS, ISSUES_MAX};
use super::size::json_bytes_up_to;
use super::steps::{self, StepKind};
use types::issue::{Check, Issue};
use types::json_path::FieldPath;
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

/// See [`Graph::read`].
pub(super) fn graph(value: &Value) -> Result<Graph, Vec<Issue>> {
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

/// The issue of a graph that is larger than 512 KiB.
pub(super) fn too_large(value: &Value) -> Option<Issue> {
    if json_bytes_up_to(value, GRAPH_MAX_BYTES).is_some() {
        return None;
    }
    let message = format!("the graph is larger than {} KiB of JSON", GRAPH_MAX_BYTES / 1024);
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
    let own = steps::read_shape(kind, &mut shape)?;
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

/// The fields of a step on their way into a type.
pub(super) struct Shape<'a> {
    fields: &'a mut Map<String, Value>,
    path: &'a str,
    issues: &'a mut Vec<Issue>,
}

impl Shape<'_> {
    /// Reads the fields as `T`, reporting and taking out what does not fit. `None` when something other
    /// than a field stands in the way.
    pub(super) fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let error = match serde_path_to_error::deserialize(Strict(&*self.fields)) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let segments: Vec<Segment> = error.path().iter().cloned().collect();
            let problem = error.into_inner().to_string();
            let (removed, field) = take_out(self.fields, &segments);
            self.issues.push(misfit(self.path, &field, &problem));
            if !removed {
                return None;
            }
        }
    }
}

/// Takes out the innermost thing that the segments lead to, and says where it was. An element of a list
/// is emptied instead, so that those after it keep their places.
fn take_out(fields: &mut Map<String, Value>, segments: &[Segment]) -> (bool, String) {
    let mut field = FieldPath::default();
    for segment in segments {
        match segment {
            Segment::Map { key } => field.push_key(key),
            Segment::Seq { index } => field.push_index(*index),
            Segment::Enum { .. } | Segment::Unknown => break,
        };
    }
    let Some((Segment::Map { key: first }, below)) = segments.split_first() else {
        return (false, field.to_string());
    };
    let taken = below.split_last().is_some_and(|(last, between)| {
        let holder = fields.get_mut(first).and_then(|value| between.iter().try_fold(value, descend));
        match (holder, last) {
            (Some(Value::Object(map)), Segment::Map { key }) => map.remove(key).is_some(),
            (Some(Value::Array(items)), Segment::Seq { index }) => items
                .get_mut(*index)
                .filter(|item| !item.is_string())
                .map(|item| *item = Value::String(String::new()))
                .is_some(),
            _ => false,
        }
    });
    (taken || fields.remove(first).is_some(), field.to_string())
}

fn descend<'a>(value: &'a mut Value, segment: &Segment) -> Option<&'a mut Value> {
    match (value, segment) {
        (Value::Object(map), Segment::Map { key }) => map.get_mut(key),
        (Value::Array(items), Segment::Seq { index }) => items.get_mut(*index),
        _ => None,
    }
}

/// Reads fields as `T`.
///
/// # Errors
/// The first field that does not fit, and why.
pub(super) fn fit<T: DeserializeOwned>(fields: &Map<String, Value>) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(Strict(fields)).map_err(|error| {
        let field = error.path().to_string();
        (field, in_json_words(&error.into_inner().to_string()))
    })
}

fn misfit(path: &str, field: &str, problem: &str) -> Issue {
    let wrong_value = problem.starts_with("unknown variant") || problem.starts_with("invalid value");
    let code = if wrong_value { "invalid_value" } else { "invalid_type" };
    let what = if field.is_empty() { "the step" } else { field };
    let words = in_json_words(problem);
    let suggestion = match words.strip_prefix("expected ").and_then(|words| words.rsplit_once(", found ")) {
        Some((expected, _)) => format!("write {expected}"),
        None => String::new(),
    };
    let message = format!("{what}: {words}");
    let path = types::json_path::join(path, field);
    Issue::error(Check::Graph, code, path, message).suggest(suggestion)
}

/// The issue of a value of another type than is wanted.
pub(super) fn wrong_type(path: &str, what: &str, expected: &str, found: &Value) -> Issue {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Issue::error(Check::Graph, "invalid_type", path, format!("{what} must be {expected}, not {found}"))
        .suggest(format!("write {expected}"))
}
