//! Finds whole numbers in a script's text that are not what they seem: a literal is a double.

use super::lexer::{Lexer, Token};

/// The largest magnitude at which every whole number is a double of its own.
const MAX_EXACT: u128 = 1 << 53;

/// A whole number beyond 2⁵³ in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InexactLiteral {
    /// The line, from 1.
    pub line: usize,
    /// As the script writes it.
    pub text: String,
    /// What the script gets for it.
    pub reads: String,
    /// Its decimal digits; as the script writes it where they are too many to tell.
    pub digits: String,
    /// Whether it has at most 64 bits, so that `json.decode` of its digits keeps them. Beyond, only text does.
    pub fits_json: bool,
}

/// Finds the whole numbers beyond 2⁵³ that `script` writes as digits, at most ten. They are rounded, and never equal to an
/// integer of JSON. What follows an interpolated string is not looked at.
#[must_use]
pub fn inexact_literals(script: &str) -> Vec<InexactLiteral> {
    let mut lexer = Lexer::new(script);
    let mut found = Vec::new();
    while let Some(token) = lexer.next()
        && found.len() < 10
    {
        let Token::Number(text) = token else { continue };
        let whole = whole(text);
        if whole.is_none_or(|whole| whole > MAX_EXACT) && is_whole(text) {
            let before = &script[..script.len() - lexer.left()];
            let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
            let reads = as_double(text)
                .map_or_else(|| "a rounded number".to_owned(), |double| format!("{double:.0}"));
            let digits = match (whole, digits(text)) {
                (Some(whole), _) => whole.to_string(),
                (None, (10, digits)) => digits,
                (None, _) => text.to_owned(),
            };
            let fits_json = whole.is_some_and(|whole| whole <= u128::from(u64::MAX));
            found.push(InexactLiteral { line, text: text.to_owned(), reads, digits, fits_json });
        }
    }
    found
}

fn digits(text: &str) -> (u32, String) {
    let text = text.replace('_', "");
    match text.get(..2) {
        Some("0x" | "0X") => (16, text[2..].to_owned()),
        Some("0b" | "0B") => (2, text[2..].to_owned()),
        _ => (10, text),
    }
}

fn is_whole(text: &str) -> bool {
    let (radix, digits) = digits(text);
    !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
}

fn whole(text: &str) -> Option<u128> {
    let (radix, digits) = digits(text);
    u128::from_str_radix(&digits, radix).ok()
}

#[allow(clippy::cast_precision_loss, reason = "this is what a literal loses")]
fn as_double(text: &str) -> Option<f64> {
    match digits(text) {
        (10, digits) => digits.parse().ok(),
        _ => whole(text).map(|whole| whole as f64),
    }
}
