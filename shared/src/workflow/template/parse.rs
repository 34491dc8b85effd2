//! The template grammar.
//!
//! ```text
//! template   := ( text | "{{{{" | "{{" expression "}}" )*
//! expression := segment ( "|" segment )*          a literal or `omit` only in last place
//! segment    := path | JSON literal | "omit"
//! path       := key ( "." key )*                  a key: letters, digits, _ - $ @ :
//! ```
//!
//! Nothing backtracks: what comes next is always clear from the next character, so parsing is linear
//! and errors can say exactly what was expected.

use serde_json::Value;
use winnow::{
    LocatingSlice, Parser,
    ascii::multispace0,
    error::ParserError,
    stream::{Location, Stream},
    token::take_while,
};

use super::{super::suggest::quote, Expression, Fallback, Part, Path, Template, TemplateError};

type Input<'a> = LocatingSlice<&'a str>;
type Parsed<T> = Result<T, TemplateError>;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const ESCAPED_OPEN: &str = "{{{{";

impl<'a> ParserError<Input<'a>> for TemplateError {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        fault(input, "this is not a template")
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

/// Parses a whole string.
pub(super) fn template(text: &str) -> Parsed<Template> {
    let mut input = LocatingSlice::new(text);
    let mut parts: Vec<Part> = Vec::new();
    while !rest(&input).is_empty() {
        if skip(&mut input, ESCAPED_OPEN) {
            push_text(&mut parts, OPEN);
        } else if rest(&input).starts_with(OPEN) {
            parts.push(Part::Expression(expression(&mut input)?));
        } else {
            let length = rest(&input).find(OPEN).unwrap_or(rest(&input).len());
            push_text(&mut parts, input.next_slice(length));
        }
    }
    Ok(Template { parts })
}

fn push_text(parts: &mut Vec<Part>, more: &str) {
    if let Some(Part::Text(text)) = parts.last_mut() {
        text.push_str(more);
    } else {
        parts.push(Part::Text(more.to_owned()));
    }
}

/// `{{ … }}`, from its first brace.
fn expression(input: &mut Input<'_>) -> Parsed<Expression> {
    let opening = input.current_token_start();
    skip(input, OPEN);
    let source = rest(input);
    let mut paths = Vec::new();
    let mut fallback = None;
    loop {
        multispace0.parse_next(input)?;
        match segment(input, opening)? {
            Segment::Path(path) => paths.push(path),
            Segment::Last(last) => fallback = Some(last),
        }
        multispace0.parse_next(input)?;
        if rest(input).starts_with(CLOSE) {
            let length = source.len() - rest(input).len();
            skip(input, CLOSE);
            return Ok(Expression { text: source[..length].trim().to_owned(), paths, fallback });
        }
        if !skip(input, "|") {
            return Err(after_segment(input, opening));
        }
        if fallback.is_some() {
            return Err(fault(input, "a literal or `omit` stands only in the last place"));
        }
    }
}

enum Segment {
    Path(Path),
    Last(Fallback),
}

fn segment(input: &mut Input<'_>, opening: usize) -> Parsed<Segment> {
    let ahead = rest(input);
    match ahead.chars().next() {
        None => Err(unclosed(opening)),
        Some(_) if ahead.starts_with(OPEN) => Err(nested(input.current_token_start())),
        Some('"' | '[' | '{') => json_literal(input).map(|value| Segment::Last(Fallback::Literal(value))),
        Some('-' | '0'..='9') => number(input).map(|value| Segment::Last(Fallback::Literal(value))),
        Some(first) if first.is_alphabetic() || first == '_' => path(input, opening).map(word),
        Some('\'') => Err(fault(input, "texts are written in double quotes")),
        Some('|' | '}') => Err(fault(input, "a path, a JSON literal or `omit` is missing here")),
        Some(other) => Err(fault(input, format!("{other:?} cannot begin a path or a literal"))),
    }
}

/// The words that are no paths.
fn word(path: Path) -> Segment {
    let literal = match path.keys.as_slice() {
        [only] => match only.as_str() {
            "true" => Some(Fallback::Literal(Value::Bool(true))),
            "false" => Some(Fallback::Literal(Value::Bool(false))),
            "null" => Some(Fallback::Literal(Value::Null)),
            "omit" => Some(Fallback::Omit),
            _ => None,
        },
        _ => None,
    };
    literal.map_or(Segment::Path(path), Segment::Last)
}

fn path(input: &mut Input<'_>, opening: usize) -> Parsed<Path> {
    let mut keys = vec![key(input, opening)?];
    while skip(input, ".") {
        keys.push(key(input, opening)?);
    }
    Ok(Path { keys })
}

fn key(input: &mut Input<'_>, opening: usize) -> Parsed<String> {
    let key: &str = take_while(0.., is_key_char).parse_next(input)?;
    match key {
        "" if rest(input).is_empty() => Err(unclosed(opening)),
        "" => Err(fault(input, "a key is missing after the dot")),
        key => Ok(key.to_owned()),
    }
}

fn is_key_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | ':')
}

fn number(input: &mut Input<'_>) -> Parsed<Value> {
    let start = input.current_token_start();
    let digits: &str =
        take_while(1.., |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'))
            .parse_next(input)?;
    serde_json::from_str(digits).map_err(|_| TemplateError {
        offset: start,
        message: format!("{} is not a JSON number", quote(digits)),
    })
}

/// A string, array or object. Its end is wherever its own syntax ends, so it may hold `}}`.
fn json_literal(input: &mut Input<'_>) -> Parsed<Value> {
    let start = input.current_token_start();
    let ahead = rest(input);
    let mut stream = serde_json::Deserializer::from_str(ahead).into_iter::<Value>();
    let value = match stream.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => {
            return Err(match ahead.find(OPEN) {
                Some(at) if at <= error_offset(ahead, &error) => nested(start + at),
                _ => fault(input, format!("this JSON literal cannot be read: {error}")),
            });
        }
        None => return Err(fault(input, "a JSON literal is missing here")),
    };
    let literal = input.next_slice(stream.byte_offset());
    // The author of `| "{{ input.b }}"` means an expression, and would get its text.
    match literal.find(OPEN) {
        Some(at) => Err(nested(start + at)),
        None => Ok(value),
    }
}

/// Where serde_json gave up, in bytes; it counts lines and columns from one.
fn error_offset(text: &str, error: &serde_json::Error) -> usize {
    let line_start: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    line_start + error.column()
}

/// Why neither `|` nor `}}` follows a segment.
fn after_segment(input: &Input<'_>, opening: usize) -> TemplateError {
    let ahead = rest(input);
    if ahead.is_empty() {
        return unclosed(opening);
    }
    if ahead.starts_with(OPEN) {
        return nested(input.current_token_start());
    }
    match ahead.chars().next() {
        Some('[') => fault(input, "an index is written with a dot: items.0"),
        Some('=' | '!' | '<' | '>') => {
            fault(input, "a comparison stands outside the braces, and only in a condition")
        }
        Some('(') => fault(input, "there are no functions in templates; compute it in a lua_script step"),
        Some('}') => fault(input, "an expression ends with two closing braces"),
        Some(other) => fault(input, format!("expected `|` or `}}}}` instead of {other:?}")),
        None => unclosed(opening),
    }
}

fn unclosed(opening: usize) -> TemplateError {
    TemplateError {
        offset: opening,
        message: "this `{{` is not closed; write `{{{{` for a literal `{{`".into(),
    }
}

fn nested(offset: usize) -> TemplateError {
    TemplateError { offset, message: "`{{` inside an expression".into() }
}

fn fault(input: &Input<'_>, message: impl Into<String>) -> TemplateError {
    TemplateError { offset: input.current_token_start(), message: message.into() }
}

fn rest<'a>(input: &Input<'a>) -> &'a str {
    input.as_ref()
}

/// Takes `token` if it comes next.
fn skip(input: &mut Input<'_>, token: &str) -> bool {
    let found = rest(input).starts_with(token);
    if found {
        input.next_slice(token.len());
    }
    found
}
