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

use super::{Expression, Fallback, Part, Path, Template, TemplateError};
use types::json_numbers::{Unrepresentable, unrepresentable};
use types::suggest::quote;

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

impl Template {
    /// Parses a string.
    ///
    /// # Errors
    /// An unclosed or nested `{{`, or something between the braces that is not an expression.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        template(text)
    }
}

/// Parses a whole string.
fn template(text: &str) -> Parsed<Template> {
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
    let (mut fallback, mut lossy) = (None, None);
    loop {
        multispace0.parse_next(input)?;
        match segment(input, opening)? {
            Segment::Path(path) => paths.push(path),
            Segment::Last(last) => fallback = Some(last),
            Segment::Literal((value, number)) => {
                fallback = Some(Fallback::Literal(value));
                lossy = number;
            }
        }
        multispace0.parse_next(input)?;
        if rest(input).starts_with(CLOSE) {
            let length = source.len() - rest(input).len();
            skip(input, CLOSE);
            return Ok(Expression { text: source[..length].trim().to_owned(), paths, fallback, lossy });
        }
        if !skip(input, "|") {
            return Err(after_segment(input, opening, source));
        }
        if fallback.is_some() {
            return Err(fault(input, "a literal or `omit` stands only in the last place"));
        }
    }
}

enum Segment {
    Path(Path),
    Last(Fallback),
    Literal(Literal),
}

/// A value, and its first number that lost digits.
type Literal = (Value, Option<Unrepresentable>);

fn segment(input: &mut Input<'_>, opening: usize) -> Parsed<Segment> {
    let ahead = rest(input);
    match ahead.chars().next() {
        None => Err(unclosed(opening)),
        Some(_) if ahead.starts_with(OPEN) => Err(nested(input.current_token_start())),
        Some('"' | '[' | '{') => json_literal(input).map(Segment::Literal),
        Some('-' | '0'..='9') => number(input).map(Segment::Literal),
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
        "" => Err(fault(input, "a key is missing after the dot").suggest(lua_way("input[\"a key\"]"))),
        key => Ok(key.to_owned()),
    }
}

fn is_key_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | ':')
}

fn number(input: &mut Input<'_>) -> Parsed<Literal> {
    let start = input.current_token_start();
    let digits: &str =
        take_while(1.., |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'))
            .parse_next(input)?;
    let lossy = unrepresentable(digits.as_bytes());
    match serde_json::from_str(digits) {
        Ok(value) => Ok((value, lossy)),
        Err(_) => {
            let why = lossy.map_or_else(
                || "is not a JSON number".to_owned(),
                |number| format!("cannot be kept: {number}"),
            );
            Err(TemplateError::new(start, format!("{} {why}", quote(digits))))
        }
    }
}

/// A string, array or object. Its end is wherever its own syntax ends, so it may hold `}}`.
fn json_literal(input: &mut Input<'_>) -> Parsed<Literal> {
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
        None => Ok((value, unrepresentable(literal.as_bytes()))),
    }
}

/// Where serde_json gave up, in bytes; it counts lines and columns from one.
fn error_offset(text: &str, error: &serde_json::Error) -> usize {
    let line_start: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    line_start + error.column()
}

/// Why neither `|` nor `}}` follows a segment; `source` begins behind the opening braces.
fn after_segment(input: &Input<'_>, opening: usize, source: &str) -> TemplateError {
    let ahead = rest(input);
    if ahead.is_empty() {
        return unclosed(opening);
    }
    if ahead.starts_with(OPEN) {
        return nested(input.current_token_start());
    }
    let before = &source[..source.len() - ahead.len()];
    match ahead.chars().next() {
        Some('[') => bracket(input, before),
        Some('=' | '!' | '<' | '>') => {
            fault(input, "a comparison stands outside the braces, and only in a condition")
        }
        Some('(') => fault(input, "there are no functions in templates; compute it in a lua_script step"),
        Some('}') => fault(input, "an expression ends with two closing braces"),
        Some(other) => fault(input, format!("expected `|` or `}}}}` instead of {other:?}"))
            .suggest(instead_of_words(before, ahead)),
        None => unclosed(opening),
    }
}

/// `items[0]`, `input["a b"]`.
fn bracket(input: &Input<'_>, before: &str) -> TemplateError {
    let inside = rest(input)[1..].split(']').next().unwrap_or_default().trim();
    let path = last_path(before);
    let key = inside.trim_matches(['"', '\'']);
    let error = fault(input, "an index or a key is written with a dot: items.0, items.title");
    match !key.is_empty() && key.chars().all(is_key_char) {
        true => error.suggest(format!("write {}.{}", quote(path), quote(key))),
        // No id of a step holds what cannot be written with dots.
        false if path == "steps" => {
            error.suggest("a step is read by its id, not by its name: {{ steps.<id>.result.<key> }}")
        }
        false => error.suggest(lua_way(&lua_path(path, Some(key)))),
    }
}

/// What to do about what follows a segment: most often the rest of a key with blanks, or an operator.
fn instead_of_words(before: &str, ahead: &str) -> String {
    let path = last_path(before);
    let word = ahead.split(['.', '|', '}', '[']).next().unwrap_or_default().trim();
    let Some((parent, start)) = path.rsplit_once('.') else {
        return format!("an else-value is written {{{{ {} | \"x\" }}}}", quote(path));
    };
    let blank = &before[before.trim_end().len()..];
    lua_way(&lua_path(parent, Some(&format!("{start}{blank}{word}"))))
}

/// The path that stands last in what was read of an expression.
fn last_path(before: &str) -> &str {
    before.rsplit('|').next().unwrap_or_default().trim()
}

/// What a template cannot read, a script can.
fn lua_way(lua: &str) -> String {
    format!(
        "keys hold letters, digits, _ - $ @ :, and nothing is computed in templates; for the rest let a lua_script step \
         return {{ value = {lua} }} and write {{{{ steps.<its id>.result.value }}}}"
    )
}

/// A path as Lua writes it, where lists begin at 1.
fn lua_path(path: &str, last: Option<&str>) -> String {
    let mut keys = quote(path).split('.').map(str::to_owned).collect::<Vec<_>>().into_iter();
    let mut lua = keys.next().unwrap_or_default();
    for key in keys.chain(last.map(|key| quote(key).into_owned())) {
        let is_name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match key.parse::<u32>() {
            Ok(index) => lua.push_str(&format!("[{}]", u64::from(index) + 1)),
            Err(_) if is_name => lua.push_str(&format!(".{key}")),
            Err(_) => lua.push_str(&format!("[{key:?}]")),
        }
    }
    lua
}

fn unclosed(opening: usize) -> TemplateError {
    TemplateError::new(opening, "this `{{` is not closed; write `{{{{` for a literal `{{`")
}

fn nested(offset: usize) -> TemplateError {
    TemplateError::new(offset, "`{{` inside an expression")
}

fn fault(input: &Input<'_>, message: impl Into<String>) -> TemplateError {
    TemplateError::new(input.current_token_start(), message)
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
