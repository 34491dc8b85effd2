//! What keeps secrets out of everything that a step leaves behind: whatever was read from the secret store while
//! it was executed is replaced by `•••` wherever it turns up in its result, its failure or its log.
//!
//! Besides the value itself, the forms are found in which servers hand it back: escaped as in JSON, encoded for a
//! URL, in hexadecimal and in Base64 (also in the middle of a longer text, such as `user:password`). Values of
//! fewer than [`SHORTEST`] bytes are left: replacing every `1` would destroy the result and hide nothing.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// What stands in place of a secret.
pub const MASK: &str = "•••";
/// Shorter values are not looked for.
pub const SHORTEST: usize = 4;
/// The encoded forms of shorter ones are not, because a few letters turn up by chance.
const SHORTEST_ENCODED: usize = 6;

/// The secrets that a step has read. It does not print.
#[derive(Default)]
pub struct Mask {
    /// Each form of each secret, the longest first.
    forms: Vec<String>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} forms)", self.forms.len())
    }
}

impl Mask {
    /// Remembers a secret that was read.
    pub fn note(&mut self, secret: &SecretString) {
        let value = secret.expose_secret();
        if value.len() < SHORTEST {
            return;
        }
        let mut forms = vec![value.to_owned(), json_escaped(value)];
        if value.len() >= SHORTEST_ENCODED {
            forms.extend(percent_encoded(value));
            let hex = types::text::hex(value.as_bytes());
            forms.push(hex.to_uppercase());
            forms.push(hex);
            forms.extend(in_base64(value.as_bytes()));
        }
        forms.retain(|form| form.len() >= SHORTEST && !self.forms.contains(form));
        self.forms.extend(forms);
        self.forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.forms.dedup();
    }

    /// The text without secrets.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for form in &self.forms {
            if masked.contains(form.as_str()) {
                masked = Cow::Owned(masked.replace(form.as_str(), MASK));
            }
        }
        masked
    }

    /// Whether a text holds a secret, written with capitals or without.
    pub fn hides_ignoring_case(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.forms.iter().any(|form| text.contains(&form.to_lowercase()))
    }

    /// Adds what tells it from other masks to a hash.
    pub fn hash_into(&self, hash: &mut impl sha2::Digest) {
        for form in &self.forms {
            hash.update(form.len().to_be_bytes());
            hash.update(form);
        }
    }

    /// The value without secrets, in texts and in keys, at any depth. A number or a word that is a secret as it is
    /// written becomes the mask's text.
    pub fn value(&self, value: Value) -> Value {
        if self.forms.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => match self.text(&text) {
                Cow::Borrowed(_) => Value::String(text),
                Cow::Owned(masked) => Value::String(masked),
            },
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                let fields = fields
                    .into_iter()
                    .map(|(key, value)| (self.text(&key).into_owned(), self.value(value)))
                    .collect::<Map<_, _>>();
                Value::Object(fields)
            }
            Value::Number(number) if self.forms.contains(&number.to_string()) => MASK.into(),
            other => other,
        }
    }
}

fn json_escaped(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(&quoted).to_owned()
}

/// As paths and forms write it, with capitals and without.
fn percent_encoded(value: &str) -> [String; 3] {
    let encode = |keep: &dyn Fn(u8) -> bool, capitals: bool| {
        value.bytes().fold(String::new(), |mut text, byte| {
            match (keep(byte), capitals) {
                (true, _) => text.push(char::from(byte)),
                (false, true) => text.push_str(&format!("%{byte:02X}")),
                (false, false) => text.push_str(&format!("%{byte:02x}")),
            }
            text
        })
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let form = encode(&|byte| unreserved(byte) || byte == b' ', true).replace(' ', "+");
    [encode(&unreserved, true), encode(&unreserved, false), form]
}

/// The letters of Base64 that depend on the secret alone, wherever in a longer text it begins: one form for each of
/// the three places in a group.
fn in_base64(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend_from_slice(value);
        // The first letters hold bits of what comes before, the last one bits of what comes after.
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.extend(encoded.get(first..last).map(str::to_owned));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "s3cr\"et/pass word+ü";

    fn mask() -> Mask {
        let mut mask = Mask::default();
        mask.note(&SECRET.into());
        mask.note(&"123456789".into());
        mask
    }

    #[test]
    fn a_secret_is_replaced_in_texts_keys_and_numbers_at_any_depth() {
        let left = json!({ "a": [{ "text": format!("Bearer {SECRET}!"), SECRET: 123_456_789, "n": 1.5 }] });
        let masked = json!({ "a": [{ "text": "Bearer •••!", "•••": "•••", "n": 1.5 }] });
        assert_eq!(mask().value(left), masked);
    }

    #[test]
    fn a_secret_is_found_in_the_forms_in_which_it_comes_back() {
        for form in [
            json!({ "inner": SECRET }).to_string(),
            "key=s3cr%22et%2Fpass%20word%2B%C3%BC&x".to_owned(),
            "key=s3cr%22et%2fpass%20word%2b%c3%bc&x".to_owned(),
            "key=s3cr%22et%2Fpass+word%2B%C3%BC&x".to_owned(),
            types::text::hex(SECRET.as_bytes()),
        ] {
            assert!(mask().text(&form).contains(MASK), "{form}");
        }
        for around in ["", "u:", "us:", "user:", "user1:"] {
            for after in ["", "x", "xy"] {
                let plain = format!("{around}{SECRET}{after}");
                for encoded in [STANDARD.encode(&plain), URL_SAFE_NO_PAD.encode(&plain)] {
                    assert!(mask().text(&encoded).contains(MASK), "{plain}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays_and_so_do_values_that_are_too_short() {
        let mut mask = mask();
        mask.note(&"abc".into());
        let plain = json!({ "abc": ["s3cret", 12_345_678, null, true] });
        assert_eq!(mask.value(plain.clone()), plain);
        assert!(!format!("{mask:?}").contains("s3cr"));
    }

    #[test]
    fn of_secrets_that_hold_each_other_nothing_is_left() {
        let mut mask = Mask::default();
        mask.note(&"token".into());
        mask.note(&"token-long".into());
        assert_eq!(mask.text("a token-long b token"), "a ••• b •••");
    }
}
