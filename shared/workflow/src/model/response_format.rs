//! The form of a model's answer.

use std::sync::Arc;

use serde_json::Value;

/// What form an answer is to have.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// JSON.
    Json,
    /// JSON that satisfies this schema.
    Schema(Arc<Value>),
}
