//! Texts that people give: trimmed and of bounded length.

use crate::{Error, Result};

/// The most characters of a name.
pub const LONGEST_NAME: usize = 200;
/// The most characters of a description or changelog.
pub const LONGEST_TEXT: usize = 2000;

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
