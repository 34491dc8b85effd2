//! A question to a model, in the words that all providers have in common.

use std::time::Duration;

use serde_json::Value;

use super::credential::Credential;
use super::resolved::Resolved;
use platform::outbound_http::Outbound;
use types::clock::Clock;
use workflow::model::ResponseFormat;
use workflow::model::params::stops;
use workflow::steps::{LlmCall, Templated};

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatRole {
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
    pub turns: Vec<(ChatRole, String)>,
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
    pub response_format: ResponseFormat,
}

impl Chat {
    /// The question of a step whose fields are expanded.
    pub fn of(call: &LlmCall, model: &str, response_format: ResponseFormat) -> Self {
        let params = call.llm_params.as_ref();
        let number = |field: Option<&Templated<f64>>| field.and_then(Templated::value).copied();
        Self {
            model: model.to_owned(),
            system: call.system.clone().filter(|system| !system.trim().is_empty()),
            turns: vec![(ChatRole::User, call.prompt.clone())],
            temperature: number(params.and_then(|params| params.temperature.as_ref())),
            top_p: number(params.and_then(|params| params.top_p.as_ref())),
            max_tokens: params.and_then(|params| params.max_tokens.as_ref()?.value().copied()),
            stop: stops(params.and_then(|params| params.stop.as_ref())),
            seed: params.and_then(|params| params.seed.as_ref()?.value().copied()),
            response_format,
        }
    }

    /// Adds the model's answer and a reply to it.
    pub fn push_turn(&mut self, answer: String, reply: String) {
        self.turns.push((ChatRole::Model, answer));
        self.turns.push((ChatRole::User, reply));
    }

    /// The system's text with what the form of the answer asks for, for providers that have no field for it.
    pub(super) fn system_with_form(&self) -> Option<String> {
        let form = match &self.response_format {
            ResponseFormat::Text => return self.system.clone(),
            ResponseFormat::Json => "Answer with one JSON object and nothing else.".to_owned(),
            ResponseFormat::Schema(schema) => format!(
                "Answer with one JSON value and nothing else. It must satisfy this JSON Schema:\n{schema}"
            ),
        };
        Some(match &self.system {
            Some(system) => format!("{system}\n\n{form}"),
            None => form,
        })
    }

    /// Whether the author asks for text with this tag, so that it is part of the answer.
    pub(super) fn asks_for(&self, tag: &str) -> bool {
        let mut texts = self.system.iter().chain(self.turns.first().map(|(_, text)| text));
        self.response_format == ResponseFormat::Text && texts.any(|text| text.contains(tag))
    }

    /// The schema of the answer, when it asks for an object: what providers take in a field of its own.
    pub(super) fn object_schema(&self) -> Option<&Value> {
        match &self.response_format {
            ResponseFormat::Schema(schema)
                if schema.get("type").and_then(Value::as_str) == Some("object") =>
            {
                Some(schema)
            }
            ResponseFormat::Schema(_) | ResponseFormat::Json | ResponseFormat::Text => None,
        }
    }
}

/// What a question needs of the process.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The way out.
    pub outbound: &'a Outbound,
    /// The time.
    pub clock: &'a Clock,
}

/// A question on its way to a model.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What it goes through.
    pub world: World<'a>,
    /// Whom it goes to.
    pub resolved: &'a Resolved,
    /// With what.
    pub credential: &'a Credential,
    /// The question.
    pub chat: &'a Chat,
    /// Names the call to providers that do a call once.
    pub key: &'a str,
    /// How long an answer may take.
    pub time: Duration,
}
