//! Numbers of JSON texts that neither an integer of 64 bits nor a double can hold: `18446744073709551616`, `1e400`.
//! serde_json reads the first as the nearest double, which is another number, and refuses the second. The API refuses
//! both; what others answer keeps their digits as text.
//!
//! A number that is written with a fraction or an exponent is a double, and the nearest one is taken, however many
//! digits it has and however small it is.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::suggest::cut;
use crate::text::SHOWN_OF_NAME;

/// The most bytes of a path in an error.
const MAX_PATH: usize = 512;

/// A number that cannot be kept as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrepresentable {
    /// Where it is, `params.ids[0]`; empty when it is the whole text.
    pub path: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Double,
}

/// Without the number: it may be a secret.
impl fmt::Display for Unrepresentable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Integer => "an integer beyond 64 bits would lose digits; send it as a string",
            Kind::Double => "the number is beyond the range of doubles (about 1.8e308); send it as a string",
        })
    }
}

/// The first number of a JSON text that cannot be kept; none when the text is not JSON.
pub fn unrepresentable(json: &[u8]) -> Option<Unrepresentable> {
    let (range, kind) =
        Numbers { json, at: 0 }.find_map(|range| Some((range.clone(), judge(json.get(range)?)?)))?;
    serde_json::from_slice::<IgnoredAny>(json).ok()?;
    Some(Unrepresentable { path: path_to(json, range.start), kind })
}

/// Reads JSON of others. Numbers that cannot be kept become strings with their digits.
///
/// # Errors
/// Not JSON, or not a `T`.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&with_strings(json))
}

/// The same of a text.
///
/// # Errors
/// Not JSON, or not a `T`.
pub fn from_str<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    from_slice(json.as_bytes())
}

/// The JSON text with quotes around the numbers that cannot be kept.
pub fn with_strings(json: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted = Vec::new();
    let mut copied = 0;
    for range in (Numbers { json, at: 0 }).filter(|range| judge(&json[range.clone()]).is_some()) {
        quoted.extend_from_slice(&json[copied..range.start]);
        quoted.push(b'"');
        quoted.extend_from_slice(&json[range.clone()]);
        quoted.push(b'"');
        copied = range.end;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    quoted.extend_from_slice(&json[copied..]);
    Cow::Owned(quoted)
}

/// Where the numbers of a JSON text are.
struct Numbers<'a> {
    json: &'a [u8],
    at: usize,
}

impl Iterator for Numbers<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        while let Some(byte) = self.json.get(self.at) {
            match byte {
                b'"' => self.at = end_of_string(self.json, self.at),
                b'-' | b'0'..=b'9' => {
                    let start = self.at;
                    let rest = &self.json[start..];
                    let length = rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len());
                    self.at = start + length;
                    return Some(start..self.at);
                }
                _ => self.at += 1,
            }
        }
        None
    }
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Behind the closing quote of the string that opens at `start`.
fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Why a number cannot be kept; none when it can, or when it is no number of JSON, which its reader says better.
fn judge(number: &[u8]) -> Option<Kind> {
    // Every integer of up to 18 digits fits 64 bits.
    let is_integer = !number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    if is_integer && number.len() < 19 {
        return None;
    }
    let text = std::str::from_utf8(number).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    // Rust reads more texts as numbers than JSON has: `01`, `1.`, `1.e5`.
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    if leading_zero || mantissa.ends_with('.') || !mantissa.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if is_integer {
        let fits = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        return (is_number && !fits).then_some(Kind::Integer);
    }
    text.parse::<f64>().ok().filter(|double| double.is_infinite()).map(|_| Kind::Double)
}

/// What of a JSON text is open at a place.
enum Open {
    /// An object, and where its newest key is.
    Object(Range<usize>),
    /// A list, and the index of its newest element.
    List(usize),
}

/// The path to what stands at `target`.
fn path_to(json: &[u8], target: usize) -> String {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < target {
        match (json[at], open.last_mut()) {
            (b'{', _) => open.push(Open::Object(0..0)),
            (b'[', _) => open.push(Open::List(0)),
            (b'}' | b']', _) => drop(open.pop()),
            (b',', Some(Open::List(index))) => *index += 1,
            (b'"', last) => {
                let end = end_of_string(json, at);
                let next = json[end..].iter().find(|byte| !byte.is_ascii_whitespace());
                if let (Some(Open::Object(key)), Some(b':')) = (last, next) {
                    *key = at..end;
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for place in &open {
        match place {
            Open::List(index) => path.push_str(&format!("[{index}]")),
            Open::Object(key) => {
                let key: String = serde_json::from_slice(&json[key.clone()]).unwrap_or_default();
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(&cut(&key, SHOWN_OF_NAME));
            }
        }
    }
    cut(&path, MAX_PATH).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{from_str, unrepresentable};

    const KEPT: [&str; 18] = [
        "0",
        "-0",
        "1.0",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616.0",
        "1e19",
        "1E+300",
        "-1e-400",
        "1.7976931348623157e308",
        "5e-324",
        "0e99999999999",
        "0.00000000000000000000000000000000000001",
        "3.14159265358979323846264338327950288",
        "123456789012345678",
    ];
    const NOT_KEPT: [&str; 9] = [
        "18446744073709551616",
        "-9223372036854775809",
        "100000000000000000000",
        "1e309",
        "-1E+400",
        "1.7976931348623159e308",
        "1e99999999999999999999",
        "-123456789012345678901234567890",
        "10.5e308",
    ];

    #[test]
    fn what_64_bits_and_doubles_hold_is_kept() {
        for text in KEPT {
            assert_eq!(unrepresentable(text.as_bytes()), None, "{text}");
            assert!(from_str::<Value>(text).unwrap().is_number(), "{text}");
        }
    }

    #[test]
    fn what_they_do_not_hold_is_named_and_kept_as_text() {
        for text in NOT_KEPT {
            assert!(unrepresentable(text.as_bytes()).is_some(), "{text}");
            assert_eq!(from_str::<Value>(text).unwrap(), json!(text));
            let among = format!(r#"{{"a":[1,"x\"{text}",{{"b c": {text}}}],"d":{text}}}"#);
            assert_eq!(unrepresentable(among.as_bytes()).unwrap().path, "a[2].b c", "{among}");
            let expected = json!({ "a": [1, format!("x\"{text}"), { "b c": text }], "d": text });
            assert_eq!(from_str::<Value>(&among).unwrap(), expected);
        }
    }

    #[test]
    fn digits_in_strings_and_keys_are_texts() {
        let text = r#"{"18446744073709551616":"18446744073709551616","\\":"\\\"1e999"}"#;
        assert_eq!(unrepresentable(text.as_bytes()), None);
        assert_eq!(from_str::<Value>(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_not_json_stays_that() {
        for text in [
            "",
            "-",
            "1-2345678901234567890123",
            "018446744073709551616",
            "18446744073709551616.",
            "1.e400",
            "[18446744073709551616",
            "18446744073709551616 1",
            "+18446744073709551616",
            "--1e400",
            "\"1e400",
            "1e+",
            "18446744073709551616e",
            "{18446744073709551616:1}",
        ] {
            assert_eq!(unrepresentable(text.as_bytes()), None, "{text}");
            if text != "{18446744073709551616:1}" {
                assert!(from_str::<Value>(text).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn long_keys_make_no_long_paths() {
        let key = "k".repeat(100_000);
        let text = format!("{}1e400{}", format!("{{\"{key}\":[").repeat(40), "]}".repeat(40));
        assert!(unrepresentable(text.as_bytes()).unwrap().path.chars().count() <= 513);
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_before_or_refused_alike(text in "[-+0-9.eE\\[\\]{}\",:\\\\a ]{0,40}") {
            let before = serde_json::from_str::<Value>(&text);
            match unrepresentable(text.as_bytes()) {
                Some(_) => prop_assert!(from_str::<Value>(&text).is_ok()),
                None => if let Ok(value) = before {
                    prop_assert_eq!(from_str::<Value>(&text).unwrap().to_string(), value.to_string());
                },
            }
        }

        #[test]
        fn integers_of_any_size_keep_their_digits(digits in "-?[1-9][0-9]{0,60}") {
            let read: Value = from_str(&digits).unwrap();
            let text = read.as_str().map_or_else(|| read.to_string(), str::to_owned);
            prop_assert_eq!(text, digits);
        }
    }

    /// Every way in which a double may be written is read as that double.
    #[test]
    fn doubles_are_read_as_the_nearest() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let double = f64::from_bits(state ^ (state >> 29));
            if !double.is_finite() {
                continue;
            }
            for text in [
                format!("{double:?}"),
                format!("{double:e}"),
                format!("{double:.20e}"),
                json!(double).to_string(),
            ] {
                let read: f64 = from_str(&text).unwrap();
                assert_eq!(read.to_bits(), double.to_bits(), "{text}");
                let value: Value = from_str(&text).unwrap();
                assert_eq!(
                    from_str::<f64>(&value.to_string()).unwrap().to_bits(),
                    double.to_bits(),
                    "{text}"
                );
            }
        }
    }
}
