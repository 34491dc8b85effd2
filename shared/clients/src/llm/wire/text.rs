//! Texts of servers: where there is one, and how it is shown.

use serde_json::Value;

use types::suggest::cut;

/// How many characters of a provider's reason are kept.
pub(super) const REASON_SHOWN: usize = 500;

/// A string that says something.
pub(super) fn text_in<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.trim().is_empty())
}

/// A server's text for a message: on one line, and not long. It was masked when it came.
pub(super) fn shown(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(text.trim(), REASON_SHOWN).into_owned()
}
