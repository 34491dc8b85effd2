//! What leaves for a provider, and what its path and its body are made of.

use std::fmt::Write as _;

use http::HeaderName;
use serde_json::{Map, Value, json};

use crate::llm::question::{Chat, ChatRole};

/// A request, but for the values that give access.
#[derive(Debug)]
pub(super) struct Written {
    /// Behind the base URL.
    pub(super) path: String,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Value,
}

/// Puts a field into a body when there is something to put.
pub(super) fn put(body: &mut Map<String, Value>, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

/// What was said so far, by whom, with each text as a provider wants it.
pub(super) fn messages(chat: &Chat, content: impl Fn(&str) -> Value) -> Vec<Value> {
    let message = |(speaker, text): &(ChatRole, String)| {
        let role = if *speaker == ChatRole::User { "user" } else { "assistant" };
        json!({ "role": role, "content": content(text) })
    };
    chat.turns.iter().map(message).collect()
}

/// A list, unless it is empty.
pub(super) fn list(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| Value::from(texts.to_vec()))
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => path.push(char::from(byte)),
            false => {
                let _ = write!(path, "%{byte:02X}");
            }
        }
        path
    })
}
