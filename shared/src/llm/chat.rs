//! A question to a model and its answer, in the words that all providers have in common.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::keys::Credential;
use super::params::stops;
use super::{Resolved, wire};
use crate::json_numbers;
use crate::run::Tokens;
use crate::state::AppState;
use crate::workflow::steps::{LlmCall, Templated};

/// What form an answer is to have.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Any text.
    Text,
    /// JSON.
    Json,
    /// JSON that satisfies this schema.
    Schema(Arc<Value>),
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Whoever asks.
    User,
    /// The model.
    Model,
}

/// A question, with what was said before.
#[derive(Debug, Clone)]
pub struct Chat {
    /// The provider's name of the model.
    pub model: String,
    /// What holds for all that is said.
    pub system: Option<String>,
    /// What was said, in order; the last is a question.
    pub turns: Vec<(Speaker, String)>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// The most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// The seed of the sampling.
    pub seed: Option<i64>,
    /// What form the answer is to have.
    pub shape: Shape,
}

impl Chat {
    /// The question of a step whose fields are expanded.
    pub fn of(call: &LlmCall, model: &str, shape: Shape) -> Self {
        let params = call.llm_params.as_ref();
        let number = |field: Option<&Templated<f64>>| field.and_then(Templated::value).copied();
        Self {
            model: model.to_owned(),
            system: call.system.clone().filter(|system| !system.trim().is_empty()),
            turns: vec![(Speaker::User, call.prompt.clone())],
            temperature: number(params.and_then(|params| params.temperature.as_ref())),
            top_p: number(params.and_then(|params| params.top_p.as_ref())),
            max_tokens: params.and_then(|params| params.max_tokens.as_ref()?.value().copied()),
            stop: stops(params.and_then(|params| params.stop.as_ref())),
            seed: params.and_then(|params| params.seed.as_ref()?.value().copied()),
            shape,
        }
    }

    /// Goes on with what the model said and what is to be said to that.
    pub fn go_on(&mut self, said: String, reply: String) {
        self.turns.push((Speaker::Model, said));
        self.turns.push((Speaker::User, reply));
    }

    /// The system's text with what the form of the answer asks for, for providers that have no field for it.
    pub(super) fn system_with_form(&self) -> Option<String> {
        let form = match &self.shape {
            Shape::Text => return self.system.clone(),
            Shape::Json => "Answer with one JSON object and nothing else.".to_owned(),
            Shape::Schema(schema) => format!(
                "Answer with one JSON value and nothing else. It must satisfy this JSON Schema:\n{schema}"
            ),
        };
        Some(match &self.system {
            Some(system) => format!("{system}\n\n{form}"),
            None => form,
        })
    }

    /// The schema of the answer, when it asks for an object: what providers take in a field of its own.
    pub(super) fn object_schema(&self) -> Option<&Value> {
        match &self.shape {
            Shape::Schema(schema) if schema.get("type").and_then(Value::as_str) == Some("object") => {
                Some(schema)
            }
            Shape::Schema(_) | Shape::Json | Shape::Text => None,
        }
    }
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Whole,
    /// At `max_tokens`, or where the model can hold no more.
    CutOff,
    /// The model or its provider would not answer; why, in the provider's words.
    Refused(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its text; JSON when that was asked for and given.
    pub text: String,
    /// The model that says it answered.
    pub model: Option<String>,
    /// What it cost.
    pub tokens: Tokens,
    /// How it ended.
    pub end: End,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// Provider, model and reason; never a key.
    pub message: String,
    /// Whether another attempt may pass.
    pub may_pass: bool,
    /// What the provider asked us to wait.
    pub retry_after: Option<Duration>,
    /// The time was up.
    pub timed_out: bool,
}

/// Asks a model. `call_key` names the call to providers that do a call once.
///
/// # Errors
/// Why there is no answer.
pub async fn ask(
    state: &AppState,
    resolved: &Resolved,
    credential: &Credential,
    chat: &Chat,
    call_key: &str,
    time: Duration,
) -> Result<Said, NoAnswer> {
    wire::ask(state, resolved, credential, chat, call_key, time).await
}

/// The JSON value in an answer: the whole of it, what a fence around it holds, or what stands between the outermost
/// brackets.
pub fn json_in(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(value) = json_numbers::from_str(text) {
        return Some(value);
    }
    let fenced = text.split_once("```").and_then(|(_, rest)| {
        let (inside, _) = rest.rsplit_once("```")?;
        Some(inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric()))
    });
    if let Some(value) = fenced.and_then(|inside| json_numbers::from_str(inside.trim()).ok()) {
        return Some(value);
    }
    [('{', '}'), ('[', ']')].into_iter().find_map(|(open, close)| {
        let inside = text.get(text.find(open)?..=text.rfind(close)?)?;
        json_numbers::from_str(inside).ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_found_bare_fenced_and_among_words() {
        for text in [
            r#"{"a":1}"#,
            "\n {\"a\":1}\n",
            "```json\n{\"a\":1}\n```",
            "Here it is:\n```\n{\"a\":1}\n```\nAnything else?",
            r#"Sure! {"a":1} is what you want."#,
        ] {
            assert_eq!(json_in(text), Some(json!({ "a": 1 })), "{text}");
        }
        assert_eq!(json_in("the list: [1, 2]"), Some(json!([1, 2])));
        for text in ["", "no", "{", "} {", "{ a: 1 }", "```json\n{\n```"] {
            assert_eq!(json_in(text), None, "{text}");
        }
    }
}
