//! Fields as a type's: what fits is read, and what does not is told.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use types::issue::{Check, Issue};
use types::json_path::FieldPath;
use types::strict::Strict;
use types::text::{in_json_words, json_kind};

/// The fields of a step on their way into a type.
pub(super) struct Shape<'a> {
    pub(super) fields: &'a mut Map<String, Value>,
    pub(super) path: &'a str,
    pub(super) issues: &'a mut Vec<Issue>,
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

pub(super) fn misfit(path: &str, field: &str, problem: &str) -> Issue {
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
    let found = json_kind(found);
    Issue::error(Check::Graph, "invalid_type", path, format!("{what} must be {expected}, not {found}"))
        .suggest(format!("write {expected}"))
}
