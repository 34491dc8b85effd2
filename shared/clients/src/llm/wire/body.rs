//! What answers are made of, whoever the provider is: fields of a type, texts in parts, counts of tokens, reasons why an
//! answer ended. Whatever is not as a provider gives it is named with its field.

use std::fmt;

use serde_json::Value;

use super::failure;
use super::text::shown;
use crate::llm::answer::FinishReason;
use types::text::json_kind;

/// More tokens than any answer has. What counts more is a mistake of the server, which must not spoil sums.
const MAX_TOKENS_COUNTED: u64 = 1_000_000_000;
/// How many things beside text are named.
const MAX_OTHER: usize = 6;
/// How many characters of a name that a server chose are shown.
const NAME_SHOWN: usize = 40;
/// What in a server's own word for the end of an answer tells that it failed.
const FAILED: [&str; 6] = ["error", "fail", "exception", "overload", "rate_limit", "interrupt"];

/// A field that is not as this provider gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unexpected {
    field: String,
    expected: &'static str,
    found: &'static str,
}

impl Unexpected {
    pub(super) fn new(field: impl Into<String>, expected: &'static str, found: Option<&Value>) -> Self {
        Self { field: field.into(), expected, found: found.map_or("nothing", json_kind) }
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, expected, found } = self;
        match field.as_str() {
            "" => write!(f, "expected {expected}, found {found}"),
            field => write!(f, "{field}: expected {expected}, found {found}"),
        }
    }
}

/// A list within `value`, which stands at `at`.
pub(super) fn list_in<'a>(value: &'a Value, at: &str, field: &str) -> Result<&'a [Value], Unexpected> {
    match value.get(field) {
        Some(Value::Array(items)) => Ok(items),
        other => Err(Unexpected::new(format!("{at}{field}"), "a list", other)),
    }
}

/// An object within `value`, which stands at `at`.
pub(super) fn object_in<'a>(value: &'a Value, at: &str, field: &str) -> Result<&'a Value, Unexpected> {
    match value.get(field) {
        Some(object @ Value::Object(_)) => Ok(object),
        other => Err(Unexpected::new(format!("{at}{field}"), "an object", other)),
    }
}

/// The model that says it answered.
pub(super) fn model_in(body: &Value, field: &str) -> Option<String> {
    let model = body.get(field)?.as_str()?;
    workflow::model::check_model(model).is_ok().then(|| model.to_owned())
}

/// The text of an answer, as its parts are read, and what else came.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) text: String,
    other: Vec<String>,
}

impl Parts {
    /// A part's text, which has to be a string.
    pub(super) fn push(&mut self, field: impl Into<String>, value: Option<&Value>) -> Result<(), Unexpected> {
        match value {
            Some(Value::String(text)) => self.text.push_str(text),
            other => return Err(Unexpected::new(field, "a string", other)),
        }
        Ok(())
    }

    /// Something that is no text.
    pub(super) fn note(&mut self, what: &str, field: &str) {
        let note = format!("{what} ({field})");
        if self.other.len() < MAX_OTHER && !self.other.contains(&note) {
            self.other.push(note);
        }
    }

    /// A part of a type that is no text, by its name.
    pub(super) fn note_type(&mut self, name: &str, field: &str) {
        let what = match name {
            "thinking" | "redacted_thinking" | "reasoning" | "reasoningContent" => "reasoning".to_owned(),
            "tool_use" | "server_tool_use" | "mcp_tool_use" | "toolUse" | "functionCall" | "tool_call" => {
                "tool calls".to_owned()
            }
            "" => "a part without a type".to_owned(),
            other => {
                let name: String = other.chars().filter(|c| !c.is_control()).take(NAME_SHOWN).collect();
                format!("{name:?}")
            }
        };
        self.note(&what, field);
    }

    /// Text and all else. Where there is no text, `blank` says where it was expected.
    pub(super) fn finish(mut self, blank: &str) -> (String, Vec<String>) {
        if self.text.trim().is_empty() {
            self.other.push(blank.to_owned());
        }
        (self.text, self.other)
    }
}

/// Where there should be text: a field that is missing, null or empty.
pub(super) fn blank(field: &str, value: Option<&Value>) -> String {
    let is = match value {
        None => "is missing",
        Some(Value::Null) => "is null",
        Some(_) => "has no text",
    };
    format!("{field} {is}")
}

/// A count of tokens, the sum of these fields. Servers that give none have none; of what is no count nothing is counted.
pub(super) fn count(usage: &Value, fields: &[&str]) -> u64 {
    let counts = fields.iter().filter_map(|field| number(usage.get(field)?));
    counts.fold(0, |sum, count| sum.saturating_add(count).min(MAX_TOKENS_COUNTED))
}

fn number(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_u64().or_else(|| other.as_f64().map(|number| number as u64))? as f64,
    };
    // Converting saturates: what is negative is nothing.
    number.is_finite().then(|| (number as u64).min(MAX_TOKENS_COUNTED))
}

/// What a provider's reason for the end of an answer means, in any provider's words. Servers have words of their own
/// for an answer that is whole; a word that speaks of a failure is none of them.
pub(super) fn finish(reason: Option<&str>) -> FinishReason {
    let Some(reason) = reason else { return FinishReason::Stop };
    let refused = |why: String| FinishReason::Refused(why);
    // The word is all there is of a code: another attempt is paid again, so it has to say that one may pass.
    let failed = || FinishReason::Error {
        reason: format!("the answer ended with {:?}", shown(reason)),
        may_pass: failure::is_transient_word(reason),
        retry_after: None,
    };
    match reason.to_ascii_lowercase().as_str() {
        "length"
        | "max_tokens"
        | "model_length"
        | "max_output_tokens"
        | "incomplete"
        | "context_window_exceeded"
        | "model_context_window_exceeded" => FinishReason::Length,
        "refusal" => refused("the model declined".to_owned()),
        "guardrail_intervened" => refused("a guardrail intervened".to_owned()),
        filter if filter.starts_with("content_filter") => {
            refused("its content filter held the answer back".to_owned())
        }
        "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii"
        | "language"
        | "sensitive"
        | "model_armor"
        | "image_safety"
        | "image_prohibited_content"
        | "image_recitation" => refused(format!("the answer was stopped ({reason})")),
        "timeout"
        | "abort"
        | "aborted"
        | "cancelled"
        | "insufficient_system_resource"
        | "malformed_function_call"
        | "malformed_model_output"
        | "malformed_tool_use"
        | "malformed_response"
        | "unexpected_tool_call"
        | "too_many_tool_calls"
        | "missing_thought_signature"
        | "no_image"
        | "image_other"
        | "other" => failed(),
        word if FAILED.iter().any(|part| word.contains(part)) => failed(),
        _ => FinishReason::Stop,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_that_speak_of_a_failure_end_an_answer_with_an_error() {
        for (word, passes) in [
            ("error", false),
            ("failed", false),
            ("failure", false),
            ("provider_error", false),
            ("upstream_error", false),
            ("model_error", false),
            ("exception", false),
            ("ERROR_TOXIC", false),
            ("ERROR_LIMIT", false),
            ("interrupted", false),
            ("other", false),
            ("malformed_function_call", false),
            ("engine_overloaded", true),
            ("overloaded", true),
            ("rate_limit", true),
            ("server_error", true),
            ("insufficient_system_resource", true),
        ] {
            let ended = finish(Some(word));
            assert!(
                matches!(ended, FinishReason::Error { may_pass, .. } if may_pass == passes),
                "{word}: {ended:?}"
            );
        }
        for word in ["context_window_exceeded", "model_context_window_exceeded", "incomplete", "LENGTH"] {
            assert_eq!(finish(Some(word)), FinishReason::Length, "{word}");
        }
        for word in ["stop", "end_turn", "tool_calls", "COMPLETE", "eos_token"] {
            assert_eq!(finish(Some(word)), FinishReason::Stop, "{word}");
        }
    }

    #[test]
    fn counts_of_any_type_are_read_or_left() {
        for (given, counted) in [
            (json!({ "a": 5 }), 5),
            (json!({ "a": 5.0 }), 5),
            (json!({ "a": 5.9 }), 5),
            (json!({ "a": "5" }), 5),
            (json!({ "a": 5, "b": 2 }), 7),
            (json!({ "a": -5, "b": -0.5 }), 0),
            (json!({ "a": null, "b": [] }), 0),
            (json!({ "a": "many", "b": true }), 0),
            (json!({ "a": "NaN", "b": "inf" }), 0),
            (json!({}), 0),
            (json!(null), 0),
            (json!([1]), 0),
            (json!({ "a": u64::MAX, "b": u64::MAX }), MAX_TOKENS_COUNTED),
            (json!({ "a": 1e300, "b": "1e300" }), MAX_TOKENS_COUNTED),
        ] {
            assert_eq!(count(&given, &["a", "b"]), counted, "{given}");
        }
    }
}
