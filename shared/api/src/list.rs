//! Lists: `limit`, an opaque `cursor`, `next_cursor`.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use services::lists;
use types::{Error, Result};

const MOST: usize = 100;
const USUAL: usize = 20;

/// How many entries to give and where to begin.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many.
    pub limit: usize,
    /// After this place.
    pub after: Option<String>,
}

/// A place in a list, as callers carry it.
#[derive(Debug)]
pub struct Cursor;

impl Page {
    /// Checks what the caller asked for.
    ///
    /// # Errors
    /// Invalid, naming the parameter.
    pub fn asked(limit: Option<usize>, cursor: Option<&str>) -> Result<Self> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Error::invalid(format!("limit: must be 1 to {MOST}.")));
        }
        Ok(Self { limit, after: cursor.map(Cursor::read).transpose()? })
    }

    /// The place to go on after, as this list names its places.
    ///
    /// # Errors
    /// Invalid when the cursor is of another list.
    pub fn after<T: FromStr>(&self) -> Result<Option<T>> {
        lists::after(self.after.as_deref())
    }
}

impl Cursor {
    /// Writes a place.
    pub fn write(place: &str) -> String {
        URL_SAFE_NO_PAD.encode(place)
    }

    /// Reads a place.
    ///
    /// # Errors
    /// Invalid when it is none of ours.
    pub fn read(text: &str) -> Result<String> {
        let invalid = || Error::invalid("cursor: is not one of ours; send next_cursor as it was answered.");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let place = String::from_utf8(bytes).map_err(|_| invalid())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-:.#_".contains(c);
        if place.is_empty() || place.len() > 200 || !place.chars().all(plain) {
            Err(invalid())
        } else {
            Ok(place)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_1_to_100_and_20_when_absent() {
        for (asked, given) in [(None, 20), (Some(1), 1), (Some(100), 100)] {
            assert_eq!(Page::asked(asked, None).unwrap().limit, given);
        }
        for wrong in [0, 101, usize::MAX] {
            let error = Page::asked(Some(wrong), None).unwrap_err();
            assert!(error.message.starts_with("limit:"), "{error:?}");
        }
    }

    #[test]
    fn a_place_comes_back_as_it_was_written_and_nothing_else_is_one() {
        for place in ["0199c000-0000-7000-8000-000000000001", "RUN#1790000000000#a_b.c:d"] {
            let page = Page::asked(None, Some(&Cursor::write(place))).unwrap();
            assert_eq!(page.after.as_deref(), Some(place));
        }
        let long = "x".repeat(201);
        let unwritten = ["", "!", "bm90IGEgcGxhY2U", "_w", "eA==", "e A"].map(str::to_owned);
        let written = ["", "two words", "a/b", "ä", "nul\0", long.as_str()].map(Cursor::write);
        for cursor in unwritten.iter().chain(&written) {
            let error = Page::asked(None, Some(cursor)).unwrap_err();
            assert!(error.message.starts_with("cursor:"), "{cursor}: {error:?}");
        }
        // Of another list.
        let page = Page::asked(None, Some(&Cursor::write("a-name"))).unwrap();
        assert!(page.after::<uuid::Uuid>().unwrap_err().message.starts_with("cursor:"));
    }
}
