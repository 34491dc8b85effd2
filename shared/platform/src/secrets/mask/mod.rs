//! What keeps secrets out of everything that comes from outside: the values that were sent are replaced by `•••` wherever
//! they turn up in it, and nothing else is changed.
//!
//! A value is found by undoing what servers do to it, not by a list of forms: escapes of JSON, URLs, HTML, shells and
//! program texts in any mixture ([`escapes`], [`search`]), and Base64 and hexadecimal, whatever stands around the value or
//! in which escapes, and again inside of those ([`runs`]). A PEM or JSON document is found however it is broken into lines.
//!
//! A value of fewer than [`MIN_LENGTH`] characters would be found in innocent words: it is masked where a text is nothing
//! else. A number is masked only when it is the whole of a value of [`MIN_DIGITS`] digits or more.

mod escapes;
mod runs;
mod search;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use self::search::{Values, add};

/// What stands in place of a secret.
pub const MASK: &str = "•••";
/// Shorter values are masked only where a text is nothing else.
pub const MIN_LENGTH: usize = 8;
/// Numbers of fewer digits are no secrets.
const MIN_DIGITS: usize = 12;
/// How often Base64 may stand in Base64.
const MAX_NESTED: u8 = 3;
/// A text that is nothing but a short value, with every character escaped, is not longer.
const MAX_SHORT_TEXT: usize = 512;

/// Whether a value is too short to be found in other texts.
pub fn is_short(value: &str) -> bool {
    value.chars().count() < MIN_LENGTH
}

/// The secrets that were read for a call. It does not print.
#[derive(Default)]
pub struct Mask {
    secrets: Vec<SecretString>,
    finder: OnceLock<Finder>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}

impl Mask {
    /// Remembers a secret that was read.
    pub fn note(&mut self, secret: &SecretString) {
        let is_known = |known: &SecretString| known.expose_secret() == secret.expose_secret();
        if !secret.expose_secret().is_empty() && !self.secrets.iter().any(is_known) {
            self.secrets.push(secret.clone());
            self.finder = OnceLock::new();
        }
    }

    /// The text without secrets.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let finder = self.finder();
        if let Some(short) = finder.whole_short(text) {
            return Cow::Owned(replaced(text, &[short]));
        }
        self.long(text)
    }

    /// The text without secrets that are long enough to be found in others.
    fn long<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.finder().find(text.as_bytes(), MAX_NESTED);
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replaced(text, &found)) }
    }

    /// Whether a text holds a secret, written with capitals or without.
    pub fn hides_ignoring_case(&self, text: &str) -> bool {
        let mut lower = Self::default();
        for secret in &self.secrets {
            lower.note(&secret.expose_secret().to_lowercase().into());
        }
        matches!(lower.text(&text.to_lowercase()), Cow::Owned(_))
    }

    /// Adds what tells it from other masks to a hash.
    pub fn hash_into(&self, hash: &mut impl sha2::Digest) {
        for secret in &self.secrets {
            hash.update(secret.expose_secret().len().to_be_bytes());
            hash.update(secret.expose_secret());
        }
    }

    /// The value without secrets, in texts and in keys, at any depth.
    pub fn value(&self, value: Value) -> Value {
        if self.secrets.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => match self.text(&text) {
                Cow::Borrowed(_) => Value::String(text),
                Cow::Owned(masked) => Value::String(masked),
            },
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => Value::Object(self.fields(fields)),
            Value::Number(number) if self.is_number(&number.to_string()) => MASK.into(),
            other => other,
        }
    }

    /// Of several keys that would become the same, none is lost.
    fn fields(&self, fields: Map<String, Value>) -> Map<String, Value> {
        let mut masked = Map::new();
        for (key, value) in fields {
            let value = self.value(value);
            let mut name = match self.long(&key) {
                Cow::Borrowed(_) => key,
                Cow::Owned(masked) => masked,
            };
            if masked.contains_key(&name) {
                let number = (2..).find(|number| !masked.contains_key(&format!("{name} ({number})")));
                name = format!("{name} ({})", number.unwrap_or(2));
            }
            masked.insert(name, value);
        }
        masked
    }

    fn is_number(&self, written: &str) -> bool {
        written.len() >= MIN_DIGITS
            && written.bytes().all(|byte| byte.is_ascii_digit())
            && self.secrets.iter().any(|secret| secret.expose_secret() == written)
    }

    fn finder(&self) -> &Finder {
        self.finder.get_or_init(|| Finder::new(&self.secrets))
    }
}

/// What finds the values; built when it is first needed.
struct Finder {
    /// Values on one line.
    plain: Option<Values>,
    /// Documents, without their white space.
    documents: Option<Values>,
    short: Option<Values>,
    /// No text with fewer bytes holds one.
    shortest: usize,
}

impl Finder {
    fn new(secrets: &[SecretString]) -> Self {
        let all = || secrets.iter().map(|secret| secret.expose_secret());
        let is_document = |value: &str| value.contains(['\n', '\r']);
        let plain = all().filter(|value| !is_document(value) && !is_short(value));
        let dense = |value: &str| value.split_whitespace().collect::<String>();
        let documents = all().filter(|value| is_document(value)).map(dense).filter(|value| !is_short(value));
        let short = all().filter(|value| is_short(&dense(value)));
        let plain = Values::new(plain.map(|value| value.as_bytes().to_vec()), false);
        let documents = Values::new(documents.map(String::into_bytes), true);
        let short = Values::new(short.map(|value| value.as_bytes().to_vec()), false);
        let shortest = plain.iter().chain(&documents).map(Values::shortest).min().unwrap_or(usize::MAX);
        Self { plain, documents, short, shortest }
    }

    /// Where values stand, in their order.
    fn find(&self, text: &[u8], nested: u8) -> Vec<Range<usize>> {
        if text.len() < self.shortest {
            return Vec::new();
        }
        let mut all: Vec<Range<usize>> =
            self.plain.iter().chain(&self.documents).flat_map(|values| values.find(text)).collect();
        if nested > 0 {
            runs::decode(
                text,
                self.shortest,
                |decoded| self.find(decoded, nested - 1),
                |place| all.push(place),
            );
        }
        all.sort_by_key(|place| place.end);
        let mut found = Vec::new();
        for place in all {
            add(&mut found, place);
        }
        found
    }

    /// Where a short value is all that a text says, but for blanks and quotes around it.
    fn whole_short(&self, text: &str) -> Option<Range<usize>> {
        let short = self.short.as_ref().filter(|_| text.len() <= MAX_SHORT_TEXT)?;
        let around = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
        let bare = text.trim_matches(around);
        let begin = text.len() - text.trim_start_matches(around).len();
        let whole = begin..begin + bare.len();
        // A value may itself begin with a quote.
        let covers = |place: &Range<usize>| place.start <= whole.start && place.end >= whole.end;
        short.find(text.as_bytes()).into_iter().find(covers)
    }
}

/// The text with the mask in these places, which are in their order.
fn replaced(text: &str, places: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        let start = (done..=place.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(done);
        let end = (place.end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        masked.push_str(text.get(done..start).unwrap_or_default());
        masked.push_str(MASK);
        done = end.max(done);
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    masked
}
