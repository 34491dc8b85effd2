//! What a model answers, in the words that all providers have in common.

use std::time::Duration;

use types::tokens::Tokens;

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// By itself.
    Stop,
    /// At `max_tokens`, or where the model can hold no more.
    Length,
    /// The model or its provider would not answer; why, in the provider's words.
    Refused(String),
    /// The provider failed while it answered.
    Error {
        /// Why, in the provider's words.
        reason: String,
        /// Whether another attempt may pass.
        may_pass: bool,
        /// What the provider asked us to wait.
        retry_after: Option<Duration>,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Its text without reasoning; JSON when that was asked for and given.
    pub text: String,
    /// What came beside or instead of text, by the provider's fields: tool calls, reasoning, nothing.
    pub other: Vec<String>,
    /// The model that says it answered.
    pub model: Option<String>,
    /// What it cost.
    pub tokens: Tokens,
    /// How it ended.
    pub finish: FinishReason,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionError {
    /// Provider, model and reason; never a key.
    pub message: String,
    /// Whether another attempt may pass.
    pub may_pass: bool,
    /// What the provider asked us to wait.
    pub retry_after: Option<Duration>,
    /// The time was up.
    pub timed_out: bool,
}
