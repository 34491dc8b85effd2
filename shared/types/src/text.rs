//! Texts that people give: trimmed and of bounded length. How they are told what does not fit. And bytes as text.

use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::suggest::{cut, quote};
use crate::{Error, Result};

/// The most characters of a name.
pub const LONGEST_NAME: usize = 200;
/// The most characters of a description or changelog.
pub const LONGEST_TEXT: usize = 2000;

/// What kind of JSON a value is, as messages name it.
pub const fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A string that names a thing: 1–200 characters, trimmed, on one line.
///
/// # Errors
/// Invalid, naming the field.
pub fn name(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Err(Error::invalid(format!(
            "{field}: must have 1 to {LONGEST_NAME} characters, it has {length}."
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{field}: must not contain control characters.")));
    }
    Ok(text.to_owned())
}

/// A longer text: up to 2,000 characters, trimmed.
///
/// # Errors
/// Invalid, naming the field.
pub fn text(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(Error::invalid(format!(
            "{field}: must have at most {LONGEST_TEXT} characters, it has {length}."
        )));
    }
    Ok(text.to_owned())
}

/// Marks without width that text copied from a page brings along, and that nobody sees.
const INVISIBLE: [char; 5] = ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}'];

/// The text without the white space, line breaks and invisible marks around it, as they come with what was pasted or
/// read from a file.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || INVISIBLE.contains(&c))
}

/// Reads a field whose text must not be seen; an error does not quote what came instead.
///
/// # Errors
/// When it is no text.
pub fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<SecretString>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.into())),
        _ => Err(D::Error::custom("must be a text")),
    }
}

/// A credential as it is stored: [`trimmed`], and on one line unless it is a PEM or JSON document. A line break inside
/// could not be sent in a header.
///
/// # Errors
/// Invalid, naming the field and never the value.
pub fn credential<'a>(field: &str, value: &'a str) -> Result<&'a str> {
    let value = trimmed(value);
    if value.is_empty() {
        return Err(Error::invalid(format!("{field}: must not be empty or blank.")));
    }
    let is_document = value.starts_with("-----BEGIN ") || value.starts_with('{');
    let may_stand = |c: char| is_document && matches!(c, '\n' | '\r' | '\t');
    match value.chars().any(|c| c.is_control() && !may_stand(c)) {
        false => Ok(value),
        true => Err(Error::invalid(format!(
            "{field}: must not contain line breaks or other control characters; send the value on one line."
        ))),
    }
}

/// A URL as it is stored: [`trimmed`], without blanks and control characters inside, which parsers drop or escape each
/// in its own way.
///
/// # Errors
/// Invalid, naming the field.
pub fn url<'a>(field: &str, url: &'a str) -> Result<&'a str> {
    let url = trimmed(url);
    if url.is_empty() {
        return Err(Error::invalid(format!("{field}: must not be empty or blank.")));
    }
    let is_stray = |c: char| c.is_whitespace() || c.is_control() || INVISIBLE.contains(&c);
    match url.chars().any(is_stray) {
        false => Ok(url),
        true => Err(Error::invalid(format!(
            "{field}: must not contain blanks, line breaks or control characters; write a blank as %20."
        ))),
    }
}

/// The most characters that an error repeats of a name which the caller chose and we do not know: it may be of any
/// length, or a token that was pasted into the wrong place, whose public part is 36 characters long.
pub const SHOWN_OF_NAME: usize = 32;

/// Where in a value something is, `steps[0].name`; none for the value itself.
pub fn shown_path(path: &Path) -> Option<String> {
    let mut shown = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => shown.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                shown.push_str(if shown.is_empty() { "" } else { "." });
                shown.push_str(&cut(name, SHOWN_OF_NAME));
            }
            Segment::Unknown => {}
        }
    }
    (!shown.is_empty()).then_some(shown)
}

/// What serde says of a name that it does not know, with as much of the name as an error shows. A query's problems
/// begin with the name.
pub fn with_short_name(problem: &str) -> String {
    let shortened = ["unknown field `", "unknown variant `"].into_iter().find_map(|what| {
        let (before, rest) = problem.split_once(what)?;
        let end = rest.rfind("`, expected ").or_else(|| rest.rfind("`, there are no "))?;
        let (name, after) = rest.split_at(end);
        let before = before.strip_suffix(": ").map(|key| format!("{}: ", cut(key, SHOWN_OF_NAME)));
        Some(format!("{}{what}{}{after}", before.unwrap_or_default(), cut(name, SHOWN_OF_NAME)))
    });
    shortened.unwrap_or_else(|| problem.to_owned())
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// serde's messages name Rust's types and quote the value, which may be long or a secret; callers know JSON's
/// types, and can look the value up.
pub fn in_json_words(problem: &str) -> String {
    // Where in the text it was found means nothing to whoever made it with a library.
    let problem = problem.rsplit_once(" at line ").map_or(problem, |(problem, _)| problem);
    let problem = with_short_name(problem);
    let Some((found, expected)) = problem.rsplit_once(", expected ") else {
        return quote(&problem).into_owned();
    };
    if found.starts_with("unknown field") {
        return format!("{found}, expected {expected}");
    }
    let expected = match expected {
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i64" => "a whole number",
        "f64" => "a number",
        "a map" => "an object",
        // The names of types are ours.
        of_fields if of_fields.starts_with("struct ") => "an object",
        of_words if of_words.starts_with("enum ") => "a string",
        "a sequence" => "a list",
        "string or map" => "a string",
        other => other,
    };
    let found = found.trim_start_matches("invalid type: ").trim_start_matches("invalid value: ");
    let found = if found.starts_with("string ") { "a string" } else { found };
    match found {
        "map" => format!("expected {expected}, found an object"),
        "sequence" => format!("expected {expected}, found a list"),
        other => format!("expected {expected}, found {}", quote(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_urls_are_trimmed_or_refused() {
        for around in [" ", "\n", "\r\n", "\t \n", "\u{feff}", "\u{a0}", "\u{200b}\n", "\0", "\u{2028}"] {
            assert_eq!(credential("k", &format!("{around}tok-1{around}")).unwrap(), "tok-1");
            assert_eq!(url("u", &format!("{around}https://a.b/c{around}")).unwrap(), "https://a.b/c");
            for blank in [around.to_owned(), around.repeat(3)] {
                assert!(credential("k", &blank).unwrap_err().message.starts_with("k: "));
                assert!(url("u", &blank).unwrap_err().message.starts_with("u: "));
            }
        }
        for inner in ["\n", "\r\n", "\t", "\0", "\u{7f}", "\u{85}"] {
            let refused = credential("k", &format!("s3cret{inner}s3cret")).unwrap_err().message;
            assert!(refused.starts_with("k: ") && !refused.contains("s3cret"), "{refused}");
            assert!(url("u", &format!("https://a.b/{inner}c")).is_err());
        }
        assert_eq!(credential("k", "pass word").unwrap(), "pass word");
        assert!(url("u", "https://a.b/c d").is_err());
        let pem = "-----BEGIN KEY-----\nabc\n-----END KEY-----";
        assert_eq!(credential("k", &format!("{pem}\n")).unwrap(), pem);
        assert_eq!(credential("k", "{\n\t\"a\": 1\n}\n").unwrap(), "{\n\t\"a\": 1\n}");
        assert!(credential("k", "{\0}").is_err());
    }
}
