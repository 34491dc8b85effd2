//! Truth: `condition`, `skip_when` and `while_condition`.
//!
//! A condition is one expression, or one expression compared with a JSON literal. Anything around the
//! expression would make it a text, and a text is nearly always true, so that is refused rather than
//! obeyed.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;
use thiserror::Error;

use super::expand::{EXPRESSION_SHOWN, Evaluated, evaluate};
use super::{Expression, Part, Path, Scope, Template, TemplateError};
use json_schema::{Exact, equal};
use types::json_numbers::{Unrepresentable, unrepresentable};
use types::suggest::cut;
use types::text::json_kind;

/// A parsed `condition`, `skip_when` or `while_condition`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    subject: Subject,
    lossy: Option<Unrepresentable>,
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
        let end = |message: &str| TemplateError::new(lead, message);
        let mut parts = template.parts.into_iter();
        let mut lossy = None;
        let subject = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Subject::Constant(false),
            (Some(Part::Text(text)), None, _) => Subject::Constant(truthy(&Value::String(text))),
            (Some(Part::Expression(expression)), None, _) => {
                lossy.clone_from(&expression.lossy);
                Subject::Expression(expression)
            }
            (Some(Part::Expression(expression)), Some(Part::Text(rest)), None) => {
                let (comparison, literal, of_literal) = comparison(&rest).map_err(|message| end(&message))?;
                lossy = expression.lossy.clone().or(of_literal);
                Subject::Comparison(expression, comparison, literal)
            }
            _ => return Err(end("a condition is one expression, or one expression compared with a literal")),
        };
        Ok(Self { subject, lossy })
    }

    /// Whether the condition holds. An unset path is falsy rather than an error; in a comparison it counts as null.
    /// `==` and `!=` compare type and value. For the orders, texts that hold a number count as one; null is in no
    /// order with anything.
    ///
    /// # Errors
    /// Two values that are in no order, such as a text and a number.
    pub fn eval(&self, scope: &dyn Scope) -> Result<bool, Unordered> {
        match &self.subject {
            Subject::Constant(truth) => Ok(*truth),
            Subject::Expression(expression) => Ok(truthy(&value_of(expression, scope))),
            Subject::Comparison(expression, comparison, literal) => {
                let value = value_of(expression, scope);
                compare(&value, *comparison, literal).map_err(|(left, right)| Unordered {
                    expression: cut(&expression.text, EXPRESSION_SHOWN).into_owned(),
                    operator: comparison.operator(),
                    left,
                    right,
                })
            }
        }
    }

    /// A number of its literals that lost digits when it was read; see [`Expression::lossy`].
    pub fn lossy(&self) -> Option<&Unrepresentable> {
        self.lossy.as_ref()
    }

    /// What is wrong with an order that no value can satisfy: its literal is in no order with anything.
    pub fn problem(&self) -> Option<String> {
        let Subject::Comparison(_, comparison, literal) = &self.subject else { return None };
        if comparison.is_equality() || literal.is_number() || literal.is_string() {
            return None;
        }
        let operator = comparison.operator();
        Some(format!("{operator} orders numbers and strings, and {} is in no order", kind_of(literal)))
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

fn comparison(text: &str) -> Result<(Comparison, Value, Option<Unrepresentable>), String> {
    let text = text.trim();
    let Some((operator, rest, comparison)) = OPERATORS
        .iter()
        .find_map(|(operator, comparison)| Some((operator, text.strip_prefix(operator)?, *comparison)))
    else {
        return Err(
            "only a comparison (==, !=, <, <=, >, >=) with a literal may follow the expression".into()
        );
    };
    let literal = rest.trim();
    let lossy = unrepresentable(literal.as_bytes());
    match serde_json::from_str(literal) {
        Ok(literal) => Ok((comparison, literal, lossy)),
        Err(_) => Err(lossy.map_or_else(
            || {
                format!(
                    "{operator} must be followed by one JSON literal, such as 5, true or \"done\" in double quotes"
                )
            },
            |number| number.to_string(),
        )),
    }
}

fn value_of<'a>(expression: &'a Expression, scope: &'a dyn Scope) -> Cow<'a, Value> {
    match evaluate(expression, scope) {
        Evaluated::Value(value) => value,
        Evaluated::Omit | Evaluated::Unset => Cow::Owned(Value::Null),
    }
}

/// Two values that a condition orders, and that are in no order. The values themselves are not named: they may be
/// secrets.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{{{{ {expression} }}}} {operator} …: {left} and {right} are in no order; compare numbers, or convert the value in a \
     lua_script step"
)]
pub struct Unordered {
    expression: String,
    operator: &'static str,
    left: &'static str,
    right: &'static str,
}

impl Comparison {
    const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }

    fn operator(self) -> &'static str {
        OPERATORS.iter().find(|(_, comparison)| *comparison == self).map_or("", |(operator, _)| operator)
    }

    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The kinds of two values that are in no order.
type Kinds = (&'static str, &'static str);

fn compare(left: &Value, comparison: Comparison, right: &Value) -> Result<bool, Kinds> {
    match comparison {
        Comparison::Equal => Ok(equal(left, right)),
        Comparison::NotEqual => Ok(!equal(left, right)),
        _ if left.is_null() || right.is_null() => Ok(false),
        _ => Ok(comparison.holds(order(left, right)?)),
    }
}

/// Numbers by value, texts that hold a number being numbers; two texts of which one holds none, as texts.
fn order(left: &Value, right: &Value) -> Result<Ordering, Kinds> {
    match (number_of(left), number_of(right), left, right) {
        (Some(a), Some(b), ..) => Ok(a.compare(b)),
        (.., Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        _ => Err((kind_of(left), kind_of(right))),
    }
}

/// The number that a value is, or that its text holds: decimal, in ASCII, with white space around it at most.
fn number_of(value: &Value) -> Option<Exact> {
    match value {
        Value::Number(number) => Some(number.into()),
        Value::String(text) => {
            let text = text.trim_ascii();
            let is_decimal = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
            if !text.chars().all(is_decimal) {
                return None;
            }
            let whole = text.parse().ok().map(Exact::Whole);
            whole.or_else(|| text.parse::<f64>().ok().map(Exact::from))
        }
        _ => None,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) if number_of(value).is_some() => "a string with a number",
        Value::String(_) => "a string that is no number",
        other => json_kind(other),
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
