//! What a run was given and what its steps made of it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use engine::SkipReason;
use types::json_text::JsonText;

/// What a run was given and what its steps made of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContextView {
    /// The run's input.
    #[schema(value_type = Value)]
    pub input: JsonText,
    /// By step id.
    pub steps: BTreeMap<String, StepContext>,
}

/// What a step was given and what it made of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepContext {
    /// Where it stands.
    pub status: String,
    /// The fields it was called with, after expansion; empty for steps without such fields.
    #[schema(value_type = Value)]
    pub input: JsonText,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<SkipReason>,
    /// What it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub result: Option<JsonText>,
    /// The result is left out, because the answer would have become too large; ask for this step alone with
    /// `?step_id=`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_omitted: Option<bool>,
    /// What went wrong: `{ "code", "message" }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
}
