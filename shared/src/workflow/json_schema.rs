//! JSON Schema 2020-12, with authors' schemas held to what they may cost.
//!
//! Schemas come from authors and from MCP servers, so none may stall a worker. Patterns run on the linear
//! regex engine (no look-around, no back-references), nothing is fetched, and every use of a `$ref` draws
//! on a budget: a few kilobytes of schema can otherwise ask for 2^100 evaluations of one small value.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{
    json_path::{self, FieldPath},
    suggest::cut,
};

#[cfg(test)]
mod tests;

/// How often `$ref`s may be followed to find out whether a value satisfies a schema: once per element of
/// the largest list that an input can hold, and well under a second.
const ANSWER_BUDGET: u32 = 1_000_000;
/// How often they may be followed to find out what is wrong, which costs a hundred times as much.
const DETAIL_BUDGET: u32 = 20_000;
/// The most violations that one check reports.
const VIOLATIONS_MAX: usize = 100;
/// How many characters of the validator's messages are kept: some list all that would have been allowed.
const MESSAGE_SHOWN: usize = 200;
/// The largest compiled pattern, in bytes.
const PATTERN_MAX_BYTES: usize = 1024 * 1024;
/// The keyword that draws on the budget; authors cannot usefully write it.
const BUDGET_KEYWORD: &str = "$agentruntime-budget";

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
    fn of(error: &ValidationError<'_>, value: &Value) -> Self {
        let pointer = error.instance_path().to_string();
        Self {
            path: path_at(value, &pointer),
            keyword: error.kind().keyword().to_owned(),
            message: cut(&error.masked().to_string(), MESSAGE_SHOWN).into_owned(),
            pointer,
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
    let (validator, budget) = compile(schema).map_err(Rejected::BadSchema)?;
    budget.fill(ANSWER_BUDGET);
    let valid = validator.is_valid(value);
    if budget.is_exhausted() {
        return Err(Rejected::TooComplex);
    }
    if valid {
        return Ok(());
    }
    budget.fill(DETAIL_BUDGET);
    let violations: Vec<Violation> =
        validator.iter_errors(value).take(VIOLATIONS_MAX).map(|error| Violation::of(&error, value)).collect();
    if budget.is_exhausted() || violations.is_empty() {
        // What was found is cut short and may blame the wrong place; that it is wrong is certain.
        let message = "the value does not satisfy the schema, which is too complex to say where";
        return Err(Rejected::Violations(vec![Violation::of_whole(message)]));
    }
    Err(Rejected::Violations(violations))
}

/// What is wrong with a schema; empty when it can be used.
pub fn problems(schema: &Value) -> Vec<Violation> {
    compile(schema).err().unwrap_or_default()
}

fn compile(schema: &Value) -> Result<(Validator, Budget), Vec<Violation>> {
    if !schema.is_object() && !schema.is_boolean() {
        return Err(vec![Violation::of_whole("a schema is an object or a boolean")]);
    }
    let wrong: Vec<Violation> = jsonschema::draft202012::meta::validator()
        .iter_errors(schema)
        .take(VIOLATIONS_MAX)
        .map(|error| Violation::of(&error, schema))
        .collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let budget = Budget::default();
    let drawn = budget.clone();
    let patterns = PatternOptions::regex().size_limit(PATTERN_MAX_BYTES);
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .with_keyword(BUDGET_KEYWORD, move |_, _, _| Ok(Box::new(drawn.clone())))
        .build(&budgeted(schema, false))
        .map_err(|error| vec![Violation::of(&error, schema)])?;
    Ok((validator, budget))
}

/// A JSON pointer into `value`, as a JSON path.
pub(super) fn path_at(value: &Value, pointer: &str) -> String {
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

/// How many references may still be followed.
#[derive(Debug, Clone, Default)]
struct Budget {
    left: Arc<AtomicU32>,
}

impl Budget {
    fn fill(&self, references: u32) {
        self.left.store(references, Ordering::Relaxed);
    }

    fn is_exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn draw(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl<'i> Keyword<'i> for Budget {
    fn validate(&self, _instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.draw() { Ok(()) } else { Err(ValidationError::custom("the schema is too complex")) }
    }

    fn is_valid(&self, _instance: &'i Value) -> bool {
        self.draw()
    }
}

/// The schema with each `{ "$ref": x }` written as "if there is budget left, then `{ "$ref": x }`", so that
/// an exhausted budget cuts every further descent. The caller looks at the budget before it believes the
/// answer. Data (`const`, `enum`) stays as it is; `names` says that the keys are authors' names.
fn budgeted(schema: &Value, names: bool) -> Value {
    let map = match schema {
        Value::Array(items) => return items.iter().map(|item| budgeted(item, false)).collect(),
        Value::Object(map) => map,
        other => return other.clone(),
    };
    let mut rewritten = Map::new();
    let mut guarded = Vec::new();
    for (key, value) in map {
        match key.as_str() {
            "$ref" | "$dynamicRef" if !names && value.is_string() => {
                guarded.push(json!({ "if": { BUDGET_KEYWORD: true }, "then": { key: value } }));
            }
            "const" | "enum" if !names => {
                rewritten.insert(key.clone(), value.clone());
            }
            _ => {
                let below_are_names = !names && NAMING_KEYWORDS.contains(&key.as_str());
                rewritten.insert(key.clone(), budgeted(value, below_are_names));
            }
        }
    }
    if !guarded.is_empty() {
        match rewritten.get_mut("allOf") {
            // Behind what is there: pointers into the list keep their places.
            Some(Value::Array(all)) => all.extend(guarded),
            _ => {
                rewritten.insert("allOf".to_owned(), Value::Array(guarded));
            }
        }
    }
    Value::Object(rewritten)
}

/// The keywords whose value is an object from names to schemas.
const NAMING_KEYWORDS: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
