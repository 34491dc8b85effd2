//! The types of steps by their names.

use std::collections::BTreeSet;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::shape::{Shape, fit};
use super::steps::{
    AgentCall, ForEach, HumanTask, LlmCall, LuaScript, McpCall, StepKind, While, WorkflowCall,
};

/// The fields that every step has, whatever its type.
pub(super) const COMMON_FIELDS: [&str; 16] = [
    "id",
    "type",
    "name",
    "description",
    "depends_on",
    "enabled",
    "condition",
    "skip_when",
    "retry_count",
    "retry_backoff_s",
    "timeout_s",
    "continue_on_error",
    "no_auto_start",
    "terminal",
    "input_allowlist",
    "metadata",
];

/// Reads the fields of a step as those of the type `kind`, reporting which do not fit. `None` when something other than
/// a field stands in the way.
pub(super) fn read_shape(kind: &str, shape: &mut Shape<'_>) -> Option<StepKind> {
    match kind {
        "lua_script" => shape.read().map(StepKind::LuaScript),
        "llm_call" => shape.read().map(Box::new).map(StepKind::LlmCall),
        "mcp_call" => shape.read().map(StepKind::McpCall),
        "human_task" => shape.read().map(StepKind::HumanTask),
        "for_each" => shape.read().map(StepKind::ForEach),
        "while" => shape.read().map(StepKind::While),
        "workflow_call" => shape.read().map(StepKind::WorkflowCall),
        "agent_call" => shape.read().map(StepKind::AgentCall),
        _ => None,
    }
}

/// Reads the fields of a step of the type `kind`.
///
/// # Errors
/// The first field that does not fit, and why.
pub(super) fn read_kind(kind: &str, fields: &Map<String, Value>) -> Result<StepKind, (String, String)> {
    match kind {
        "lua_script" => fit(fields).map(StepKind::LuaScript),
        "llm_call" => fit(fields).map(Box::new).map(StepKind::LlmCall),
        "mcp_call" => fit(fields).map(StepKind::McpCall),
        "human_task" => fit(fields).map(StepKind::HumanTask),
        "for_each" => fit(fields).map(StepKind::ForEach),
        "while" => fit(fields).map(StepKind::While),
        "workflow_call" => fit(fields).map(StepKind::WorkflowCall),
        "agent_call" => fit(fields).map(StepKind::AgentCall),
        other => Err(("type".to_owned(), format!("there is no step type {other:?}"))),
    }
}

/// The fields that each type adds to the common ones.
pub(super) fn fields_by_type() -> Vec<(&'static str, BTreeSet<String>)> {
    vec![
        ("lua_script", properties_of::<LuaScript>()),
        ("llm_call", properties_of::<LlmCall>()),
        ("mcp_call", properties_of::<McpCall>()),
        ("human_task", properties_of::<HumanTask>()),
        ("for_each", properties_of::<ForEach>()),
        ("while", properties_of::<While>()),
        ("workflow_call", properties_of::<WorkflowCall>()),
        ("agent_call", properties_of::<AgentCall>()),
    ]
}

/// The properties that the schema of a type names.
pub(super) fn properties_of<T: JsonSchema>() -> BTreeSet<String> {
    let schema = generator().into_root_schema_for::<T>().to_value();
    schema["properties"].as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
}

pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}
