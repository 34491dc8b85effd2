//! JSON Schema 2020-12, with authors' schemas held to what they may cost.
//!
//! Schemas come from authors and from MCP servers, so none may stall a worker. Patterns run on the linear
//! regex engine (no look-around, no back-references), nothing is fetched, and all that is done draws on a
//! budget: a few kilobytes of schema can otherwise ask for 2^100 evaluations of one small value.
//!
//! Ours, since the functions must be small: the usual validator brings arithmetic on numbers of any size and
//! two regex engines. `format` and `content…` only annotate, as the standard has it. What is said of a
//! violation is what that validator says.

use std::borrow::Cow;

use serde_json::Value;
use thiserror::Error;

use evaluate::{Answer, evaluate};
use index::Index;
pub use lenient::{Unchecked, check_in_part, unchecked};
use types::json_path::{self, FieldPath};
use types::suggest::cut;

pub use equality::equal;
pub use numbers::Exact;

mod equality;
mod evaluate;
mod index;
mod lenient;
mod metaschema;
mod numbers;
mod pattern;
mod references;
mod rules;
#[cfg(test)]
mod tests;

/// How many steps an evaluation may take: a second or so.
const BUDGET: u64 = 20_000_000;
/// How many of them following a `$ref` takes: a million can be followed, one per element of the largest list
/// that an input can hold and some.
const REFERENCE_STEPS: u64 = 20;
/// The most violations that one check reports.
const VIOLATIONS_MAX: usize = 100;
/// How many characters of a message are kept: some list all that would have been allowed.
const MESSAGE_SHOWN: usize = 200;
/// How deep a value or a schema may nest.
const NESTING_MAX: usize = 256;

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
    fn at(value: &Value, pointer: &str, keyword: &str, message: &str) -> Self {
        Self {
            path: path_at(value, pointer),
            pointer: pointer.to_owned(),
            keyword: keyword.to_owned(),
            message: cut(message, MESSAGE_SHOWN).into_owned(),
        }
    }

    fn of_whole(message: &str) -> Self {
        let message = message.to_owned();
        Self { path: "$".to_owned(), pointer: String::new(), keyword: String::new(), message }
    }
}

/// Why a value was not found to satisfy a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// The schema itself cannot be used.
    BadSchema(Vec<Violation>),
    /// The schema asks for more evaluation than it may cost.
    TooComplex,
    /// The value does not satisfy it.
    Violations(Vec<Violation>),
}

/// Checks a value against a schema.
///
/// # Errors
/// What is wrong with the value, or why the schema cannot tell.
pub fn check(schema: &Value, value: &Value) -> Result<(), Rejected> {
    let index = usable(schema).map_err(Rejected::BadSchema)?;
    let mut budget = BUDGET;
    match evaluate(&index, value, &mut budget) {
        Answer::Satisfied => Ok(()),
        Answer::TooComplex => Err(Rejected::TooComplex),
        Answer::Violated(violations) => Err(Rejected::Violations(violations)),
    }
}

/// What is wrong with a schema; empty when it can be used.
pub fn problems(schema: &Value) -> Vec<Violation> {
    usable(schema).err().unwrap_or_default()
}

/// The schema ready for evaluation.
fn usable(schema: &Value) -> Result<Index<'_>, Vec<Violation>> {
    if !schema.is_object() && !schema.is_boolean() {
        return Err(vec![Violation::of_whole("a schema is an object or a boolean")]);
    }
    let mut budget = BUDGET;
    let wrong = metaschema::violations(schema, &mut budget);
    if wrong.is_empty() { Index::of(schema, budget) } else { Err(wrong) }
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
fn push_key(pointer: &mut String, key: &str) {
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
fn nests_too_deep(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| nests_too_deep(item, left - 1)),
        Value::Object(map) => left == 0 || map.values().any(|item| nests_too_deep(item, left - 1)),
        _ => false,
    }
}
