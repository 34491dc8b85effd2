//! Putting values in the place of expressions.

use std::borrow::Cow;

use serde_json::{Map, Value};
use thiserror::Error;

use super::super::limits::EXPANSION_MAX_BYTES;
use super::super::size::json_bytes_up_to;
use super::{Expression, Fallback, Part, Path, Template, TemplateError, has_template};
use types::json_path::FieldPath;
use types::json_text;
use types::suggest::cut;

/// How many characters of an expression an error repeats.
pub(super) const EXPRESSION_SHOWN: usize = 200;

/// Where expressions find their values.
pub trait Scope {
    /// The value at `path`, or `None` when the path leads nowhere (*unset*).
    fn resolve(&self, path: &Path) -> Option<Cow<'_, Value>>;
}

/// A scope that is one JSON object, its keys being the roots.
#[derive(Debug, Clone, Default)]
pub struct ValueScope(
    /// The object.
    pub Value,
);

impl Scope for ValueScope {
    fn resolve(&self, path: &Path) -> Option<Cow<'_, Value>> {
        walk(&self.0, &path.keys).map(Cow::Borrowed)
    }
}

/// Follows `keys` down from `value`: objects by key, arrays by index.
pub fn walk<'a>(value: &'a Value, keys: &[String]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(json_text::index(key)?),
        _ => None,
    })
}

/// A string that could not be expanded. Engines fail the step with `TEMPLATE_UNRESOLVED` (or
/// `RESULT_TOO_LARGE`, see [`UnresolvedCause`]).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {{{{ {expression} }}}} {cause}")]
pub struct Unresolved {
    /// Where the string is, relative to the expanded value, such as `tool_args.items[0].title`; empty
    /// when the value itself is the string.
    pub field: String,
    /// The expression, without its braces (the whole string when it does not parse); its beginning when it
    /// is long.
    pub expression: String,
    /// Why it has no value.
    pub cause: UnresolvedCause,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnresolvedCause {
    /// No path leads to a value and there is no fallback.
    #[error("has no value")]
    Unset,
    /// The string is not a template; validation refuses such graphs.
    #[error("is not a template: {0}")]
    Malformed(TemplateError),
    /// The expansion grew past [`EXPANSION_MAX_BYTES`].
    #[error(
        "makes the fields of the step larger than {} MiB of JSON; refer to less of the value",
        EXPANSION_MAX_BYTES / 1024 / 1024
    )]
    TooLarge,
}

/// Replaces every expression in the strings of `value`, at any depth; object keys stay as they are.
/// A `value` that is itself an omitted string becomes null (see [`expand_field`]).
///
/// # Errors
/// The first string that has no value.
pub fn expand(value: &Value, scope: &dyn Scope) -> Result<Value, Unresolved> {
    Ok(expand_field(value, scope)?.unwrap_or(Value::Null))
}

/// Like [`expand`], but `None` when `value` is a string that asks to be omitted.
///
/// # Errors
/// The first string that has no value.
pub fn expand_field(value: &Value, scope: &dyn Scope) -> Result<Option<Value>, Unresolved> {
    Expansion { scope, left: EXPANSION_MAX_BYTES, field: FieldPath::default() }.value(value)
}

/// What one expression gives.
pub(super) enum Evaluated<'a> {
    Value(Cow<'a, Value>),
    Omit,
    Unset,
}

/// Tries the paths of `expression` left to right.
pub(super) fn evaluate<'a>(expression: &'a Expression, scope: &'a dyn Scope) -> Evaluated<'a> {
    for (place, path) in expression.paths.iter().enumerate() {
        let last = place + 1 == expression.paths.len() && expression.fallback.is_none();
        match scope.resolve(path) {
            None => {}
            Some(value) if !last && is_blank(&value) => {}
            Some(value) => return Evaluated::Value(value),
        }
    }
    match &expression.fallback {
        Some(Fallback::Literal(value)) => Evaluated::Value(Cow::Borrowed(value)),
        Some(Fallback::Omit) => Evaluated::Omit,
        None => Evaluated::Unset,
    }
}

/// What counts as unset when there is something else to try.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

struct Expansion<'a> {
    scope: &'a dyn Scope,
    /// The bytes that this expansion may still produce.
    left: usize,
    field: FieldPath,
}

impl Expansion<'_> {
    fn value(&mut self, value: &Value) -> Result<Option<Value>, Unresolved> {
        Ok(match value {
            Value::String(text) => self.text(text)?,
            Value::Array(items) => Some(Value::Array(self.array(items)?)),
            Value::Object(map) => Some(Value::Object(self.object(map)?)),
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        })
    }

    fn array(&mut self, items: &[Value]) -> Result<Vec<Value>, Unresolved> {
        let mut expanded = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mark = self.field.push_index(index);
            expanded.extend(self.value(item)?);
            self.field.pop(mark);
        }
        Ok(expanded)
    }

    fn object(&mut self, map: &Map<String, Value>) -> Result<Map<String, Value>, Unresolved> {
        let mut expanded = Map::new();
        for (key, value) in map {
            let mark = self.field.push_key(key);
            if let Some(value) = self.value(value)? {
                expanded.insert(key.clone(), value);
            }
            self.field.pop(mark);
        }
        Ok(expanded)
    }

    fn text(&mut self, text: &str) -> Result<Option<Value>, Unresolved> {
        if !has_template(text) {
            return Ok(Some(Value::String(text.to_owned())));
        }
        let template =
            Template::parse(text).map_err(|error| self.fail(text, UnresolvedCause::Malformed(error)))?;
        if let Some(expression) = template.sole() {
            return match evaluate(expression, self.scope) {
                Evaluated::Value(value) => {
                    let bytes = json_bytes_up_to(&value, self.left);
                    self.spend(bytes, expression)?;
                    Ok(Some(value.into_owned()))
                }
                Evaluated::Omit => Ok(None),
                Evaluated::Unset => Err(self.fail(&expression.text, UnresolvedCause::Unset)),
            };
        }
        let mut rendered = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Expression(expression) => self.render(expression, &mut rendered)?,
            }
        }
        Ok(Some(Value::String(rendered)))
    }

    /// Writes the value of an expression into a text: strings as they are, everything else as compact
    /// JSON, and nothing for `omit`.
    fn render(&mut self, expression: &Expression, rendered: &mut String) -> Result<(), Unresolved> {
        match evaluate(expression, self.scope) {
            Evaluated::Value(value) => {
                let bytes = match &*value {
                    Value::String(text) => Some(text.len()),
                    other => json_bytes_up_to(other, self.left),
                };
                self.spend(bytes, expression)?;
                match &*value {
                    Value::String(text) => rendered.push_str(text),
                    other => rendered.push_str(&other.to_string()),
                }
                Ok(())
            }
            Evaluated::Omit => Ok(()),
            Evaluated::Unset => Err(self.fail(&expression.text, UnresolvedCause::Unset)),
        }
    }

    fn spend(&mut self, bytes: Option<usize>, expression: &Expression) -> Result<(), Unresolved> {
        self.left = bytes
            .and_then(|bytes| self.left.checked_sub(bytes))
            .ok_or_else(|| self.fail(&expression.text, UnresolvedCause::TooLarge))?;
        Ok(())
    }

    fn fail(&self, expression: &str, cause: UnresolvedCause) -> Unresolved {
        Unresolved {
            field: self.field.to_string(),
            expression: cut(expression, EXPRESSION_SHOWN).into_owned(),
            cause,
        }
    }
}

/// A string that does not parse as a template, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {error}")]
pub struct Malformed {
    /// Where the string is, relative to the value that was searched.
    pub field: String,
    /// What is wrong with it.
    pub error: TemplateError,
}

/// Every expression in the strings of `value`, with the field that holds it.
///
/// # Errors
/// Every string that does not parse.
pub fn paths_in(value: &Value) -> Result<Vec<(String, Expression)>, Vec<Malformed>> {
    let mut expressions = Vec::new();
    let mut malformed = Vec::new();
    for (field, template) in templates_in(value) {
        match template {
            Ok(template) => {
                let found = template.into_expressions();
                expressions.extend(found.map(|expression| (field.clone(), expression)));
            }
            Err(error) => malformed.push(Malformed { field, error }),
        }
    }
    if malformed.is_empty() { Ok(expressions) } else { Err(malformed) }
}

/// Every string of `value` that holds `{{`, with its field, parsed.
pub fn templates_in(value: &Value) -> Vec<(String, Result<Template, TemplateError>)> {
    let mut found = Vec::new();
    collect(value, &mut FieldPath::default(), &mut found);
    found
}

/// Where an object in `value` has a key with `{{`, at any depth. Keys are never expanded.
pub fn keys_with_template(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_keys(value, &mut FieldPath::default(), &mut found);
    found
}

fn collect_keys(value: &Value, field: &mut FieldPath, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let mark = field.push_index(index);
                collect_keys(item, field, found);
                field.pop(mark);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let mark = field.push_key(key);
                if has_template(key) {
                    found.push(field.to_string());
                }
                collect_keys(value, field, found);
                field.pop(mark);
            }
        }
        _ => {}
    }
}

fn collect(value: &Value, field: &mut FieldPath, found: &mut Vec<(String, Result<Template, TemplateError>)>) {
    match value {
        Value::String(text) if has_template(text) => {
            found.push((field.to_string(), Template::parse(text)));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let mark = field.push_index(index);
                collect(item, field, found);
                field.pop(mark);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let mark = field.push_key(key);
                collect(value, field, found);
                field.pop(mark);
            }
        }
        _ => {}
    }
}
