//! Truth: `condition`, `skip_when` and `while_condition`.
//!
//! A condition is one expression, or one expression compared with a JSON literal. Anything around the
//! expression would make it a text, and a text is nearly always true, so that is refused rather than
//! obeyed.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::{Number, Value};

use super::{
    Expression, Part, Path, Scope, Template, TemplateError,
    expand::{Evaluated, evaluate},
};

/// A parsed `condition`, `skip_when` or `while_condition`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    subject: Subject,
}

#[derive(Debug, Clone, PartialEq)]
enum Subject {
    /// A text without an expression: always the same.
    Constant(bool),
    Expression(Expression),
    Comparison(Expression, Comparison, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longer operators first: `<=` also begins with `<`.
const OPERATORS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Condition {
    /// Parses a condition: `{{ a }}`, `{{ a }} == literal` (or `!=`, `<`, `<=`, `>`, `>=`), or a text
    /// without expressions, such as `"true"`.
    ///
    /// # Errors
    /// What is wrong with the template or the comparison, and where.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let trimmed = text.trim();
        let lead = text.len() - text.trim_start().len();
        let template = Template::parse(trimmed)
            .map_err(|error| TemplateError { offset: error.offset + lead, ..error })?;
        let end = |message: &str| TemplateError { offset: lead, message: message.to_owned() };
        let mut parts = template.parts.into_iter();
        let subject = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Subject::Constant(false),
            (Some(Part::Text(text)), None, _) => Subject::Constant(truthy(&Value::String(text))),
            (Some(Part::Expression(expression)), None, _) => Subject::Expression(expression),
            (Some(Part::Expression(expression)), Some(Part::Text(rest)), None) => {
                let (comparison, literal) = comparison(&rest).map_err(|message| end(&message))?;
                Subject::Comparison(expression, comparison, literal)
            }
            _ => return Err(end("a condition is one expression, or one expression compared with a literal")),
        };
        Ok(Self { subject })
    }

    /// Whether the condition holds. An unset path is falsy rather than an error; in a comparison it
    /// counts as null. Numbers compare with numbers and texts with texts; between different types
    /// `==` and the orders are false, and `!=` is true.
    pub fn eval(&self, scope: &dyn Scope) -> bool {
        match &self.subject {
            Subject::Constant(truth) => *truth,
            Subject::Expression(expression) => truthy(&value_of(expression, scope)),
            Subject::Comparison(expression, comparison, literal) => {
                compare(&value_of(expression, scope), *comparison, literal)
            }
        }
    }

    /// The paths that it reads.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.expression().into_iter().flat_map(|expression| expression.paths.iter())
    }

    /// Its expression, unless it is a text that is always the same.
    pub fn expression(&self) -> Option<&Expression> {
        match &self.subject {
            Subject::Constant(_) => None,
            Subject::Expression(expression) | Subject::Comparison(expression, ..) => Some(expression),
        }
    }
}

fn comparison(text: &str) -> Result<(Comparison, Value), String> {
    let text = text.trim();
    let Some((operator, rest, comparison)) = OPERATORS
        .iter()
        .find_map(|(operator, comparison)| Some((operator, text.strip_prefix(operator)?, *comparison)))
    else {
        return Err(
            "only a comparison (==, !=, <, <=, >, >=) with a literal may follow the expression".into()
        );
    };
    let literal = serde_json::from_str(rest.trim()).map_err(|_| {
        format!(
            "{operator} must be followed by one JSON literal, such as 5, true or \"done\" in double quotes"
        )
    })?;
    Ok((comparison, literal))
}

fn value_of<'a>(expression: &'a Expression, scope: &'a dyn Scope) -> Cow<'a, Value> {
    match evaluate(expression, scope) {
        Evaluated::Value(value) => value,
        Evaluated::Omit | Evaluated::Unset => Cow::Owned(Value::Null),
    }
}

fn compare(left: &Value, comparison: Comparison, right: &Value) -> bool {
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right) == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order(left, right), Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order(left, right) == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order(left, right), Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Equality of JSON values, in which `1` and `1.0` are one number.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => order(left, right) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => order_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Integers compare exactly: as floats, large ids that differ in their last digits would be equal.
fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Whether a value counts as true: everything but false, null, 0, `""`, `"false"`, `"0"`, `[]`, `{}`.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "false" | "0"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}
