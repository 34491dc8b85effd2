//! What is wrong with a value or a schema, where, and how much of it is told.

use std::borrow::Cow;

use serde_json::Value;
use thiserror::Error;

use types::json_path::{self, FieldPath};
use types::suggest::cut;

/// How many steps an evaluation may take: a second or so.
pub(super) const BUDGET: u64 = 20_000_000;
/// How many of them following a `$ref` takes: a million can be followed, one per element of the largest list
/// that an input can hold and some.
pub(super) const REFERENCE_STEPS: u64 = 20;
/// The most violations that one check reports.
pub(super) const VIOLATIONS_MAX: usize = 100;
/// How many characters of a message are kept: some list all that would have been allowed.
pub(super) const MESSAGE_SHOWN: usize = 200;
/// How deep a value or a schema may nest.
pub(super) const NESTING_MAX: usize = 256;

/// One way in which a value does not satisfy a schema, or a schema is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {message}")]
pub struct Violation {
    /// Where, below `$`: in the value, or in the schema when that is at fault.
    pub path: String,
    /// The same place as a JSON pointer.
    pub pointer: String,
    /// The keyword that is not satisfied, such as `required`.
    pub keyword: String,
    /// What is wrong, without quoting the value, which may be a secret.
    pub message: String,
}

impl Violation {
    /// At a pointer into `value`.
    pub(super) fn at(value: &Value, pointer: &str, keyword: &str, message: &str) -> Self {
        Self {
            path: path_at(value, pointer),
            pointer: pointer.to_owned(),
            keyword: keyword.to_owned(),
            message: cut(message, MESSAGE_SHOWN).into_owned(),
        }
    }

    pub(super) fn of_whole(message: &str) -> Self {
        let message = message.to_owned();
        Self { path: "$".to_owned(), pointer: String::new(), keyword: String::new(), message }
    }
}

/// A JSON pointer into `value`, as a JSON path.
pub fn path_at(value: &Value, pointer: &str) -> String {
    let mut path = FieldPath::default();
    let mut at = Some(value);
    for segment in pointer.split('/').skip(1) {
        let key: Cow<'_, str> = segment.replace("~1", "/").replace("~0", "~").into();
        match (at, key.parse::<usize>()) {
            (Some(Value::Array(items)), Ok(index)) => {
                path.push_index(index);
                at = items.get(index);
            }
            (current, _) => {
                path.push_key(&key);
                at = current.and_then(|value| value.get(&*key));
            }
        }
    }
    json_path::join("$", &path.to_string())
}

/// Goes down to a key in a pointer; whoever goes back up cuts it to the length that it had.
pub(super) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Whether a value nests deeper than may be walked: the walk would overflow the stack.
pub(super) fn nests_too_deep(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| nests_too_deep(item, left - 1)),
        Value::Object(map) => left == 0 || map.values().any(|item| nests_too_deep(item, left - 1)),
        _ => false,
    }
}
