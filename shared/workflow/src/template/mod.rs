//! `{{ expression }}` in the strings of a step: parsing, expansion, and the truth of conditions.
//!
//! The grammar is small on purpose: paths, an else-try `|`, and a JSON literal or `omit` in last place.
//! Nothing here can run code, reach the network or loop. A path that leads nowhere is an error unless
//! the expression says what to do instead, so that unresolved text never reaches a tool, a model or a
//! person.

mod condition;
mod expand;
mod parse;
#[cfg(test)]
mod tests;

use serde_json::Value;
use thiserror::Error;

use types::json_numbers::Unrepresentable;

pub use condition::{Condition, Unordered, truthy};
pub use expand::{
    Malformed, Scope, Unresolved, UnresolvedCause, ValueScope, expand, expand_field, keys_with_template,
    paths_in, templates_in, walk,
};

/// A path such as `steps.fetch-pr.result.title`; the first key is the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// The keys from the root down, at least one. An index into an array is kept as its digits.
    pub keys: Vec<String>,
}

impl Path {
    /// The first key: `input`, `steps`, `run` and so on.
    pub fn root(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// The keys below the root.
    pub fn rest(&self) -> &[String] {
        self.keys.get(1..).unwrap_or_default()
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.keys.join("."))
    }
}

/// What an expression gives when none of its paths leads to a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Fallback {
    /// A JSON literal.
    Literal(Value),
    /// `omit`: the key or array element that holds the string is dropped. Inside a longer text it
    /// stands for no text.
    Omit,
}

/// What stands between `{{` and `}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// The expression as the author wrote it, trimmed, without the braces.
    pub text: String,
    /// The paths to try, left to right; empty when there is only a literal or `omit`.
    pub paths: Vec<Path>,
    /// What to take when no path leads to a value.
    pub fallback: Option<Fallback>,
    /// A number of the literal that lost digits when it was read. Validation refuses it; versions that were published
    /// before it did run as they did.
    pub lossy: Option<Unrepresentable>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Expression(Expression),
}

/// A parsed string: text and expressions in turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// Why a string is not a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (at byte {offset})")]
pub struct TemplateError {
    /// Where, in bytes from the start of the string.
    pub offset: usize,
    /// What is wrong, as a sentence without its end.
    pub message: String,
    /// What would mend it, when that is known.
    pub suggestion: Option<String>,
}

impl TemplateError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), suggestion: None }
    }

    fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl Template {
    /// The expressions, in order.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Text(_) => None,
        })
    }

    fn into_expressions(self) -> impl Iterator<Item = Expression> {
        self.parts.into_iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Text(_) => None,
        })
    }

    /// The expression, when the string is exactly one: then the value keeps its JSON type.
    pub fn sole(&self) -> Option<&Expression> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => Some(expression),
            _ => None,
        }
    }
}

/// Writes `text` so that it parses as itself, `{{` and all.
pub fn escape(text: &str) -> String {
    text.replace("{{", "{{{{")
}

/// Whether a string can hold an expression or an escape at all.
pub fn has_template(text: &str) -> bool {
    text.contains("{{")
}
