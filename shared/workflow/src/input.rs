//! The input of a run: top-level defaults first, then the schema.

use std::collections::HashSet;

use serde_json::{Map, Value};

use json_schema::{self, Rejected, Violation};
use types::issue::{Check, Issue};

#[cfg(test)]
mod tests;

/// Fills the missing top-level keys of `input` with the defaults of `schema`, then checks it against the
/// schema. Without a schema the input is taken as it is. A key that is there, even as null, is not filled.
///
/// # Errors
/// Every way in which the filled input does not satisfy the schema, with paths below `$` (the input).
pub fn fill_defaults_and_check(schema: Option<&Value>, input: Value) -> Result<Value, Vec<Issue>> {
    let Some(schema) = schema else { return Ok(input) };
    let input = fill_defaults(schema, input);
    match json_schema::check(schema, &input) {
        Ok(()) => Ok(input),
        Err(rejected) => Err(issues(rejected)),
    }
}

/// Like [`fill_defaults_and_check`], for a schema of somebody else's: what of it cannot be checked is left out, and so
/// is a default that the schema itself does not allow.
///
/// # Errors
/// Every way in which what was sent does not satisfy what of the schema can be checked.
pub fn fill_defaults_and_check_in_part(schema: &Value, input: Value) -> Result<Value, Vec<Issue>> {
    let sent: HashSet<String> = input.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let mut filled = fill_defaults(schema, input);
    let Err(violations) = json_schema::check_in_part(schema, &filled) else { return Ok(filled) };
    let at = |key: &str| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    let is_wrong = |key: &str| {
        let at = at(key);
        violations.iter().any(|each| {
            each.pointer.strip_prefix(&at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    if let Value::Object(fields) = &mut filled {
        fields.retain(|key, _| sent.contains(key) || !is_wrong(key));
    }
    match json_schema::check_in_part(schema, &filled) {
        Ok(()) => Ok(filled),
        Err(violations) => Err(violations.into_iter().map(violation).collect()),
    }
}

/// Fills the missing top-level keys of `input` with the defaults of `schema`.
pub(super) fn fill_defaults(schema: &Value, mut input: Value) -> Value {
    if let (Value::Object(input), Some(Value::Object(properties))) = (&mut input, schema.get("properties")) {
        for (key, property) in properties {
            if let Some(default) = property.get("default")
                && !input.contains_key(key)
            {
                input.insert(key.clone(), default.clone());
            }
        }
    }
    input
}

/// The issues of an input that a schema rejected.
pub(super) fn issues(rejected: Rejected) -> Vec<Issue> {
    match rejected {
        Rejected::Violations(violations) => violations.into_iter().map(violation).collect(),
        Rejected::BadSchema(problems) => {
            problems.into_iter().map(|problem| bad_schema("$", &problem)).collect()
        }
        Rejected::TooComplex => {
            let message = "checking the input against input_schema takes too long";
            vec![
                Issue::error(Check::InputSchema, "schema_too_complex", "$", message)
                    .suggest("use fewer nested $ref in anyOf, oneOf and allOf"),
            ]
        }
    }
}

fn violation(violation: Violation) -> Issue {
    let message = format!("the input does not satisfy input_schema: {}", violation.message);
    Issue::error(Check::InputSchema, "input_invalid", violation.path, message)
        .suggest("send an input that satisfies the schema, or change the schema")
}

/// The issue of a schema that is none; `base` is where the schema is.
pub(super) fn bad_schema(base: &str, problem: &Violation) -> Issue {
    let path = format!("{base}{}", problem.path.trim_start_matches('$'));
    let message = format!("this is no usable JSON Schema (2020-12): {}", problem.message);
    Issue::error(Check::InputSchema, "invalid_schema", path, message).suggest(
        "correct the schema; patterns may not look around or back, and $ref may not leave the document",
    )
}
