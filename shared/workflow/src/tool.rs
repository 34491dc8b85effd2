//! A workflow that is offered as a tool of its own to the clients of the platform's MCP server.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Graph;
use types::{Error, Result};

/// The most characters of a tool's name.
const NAME_MAX_CHARS: usize = 64;
/// The most characters of a tool's description: models read all of them with every request.
const DESCRIPTION_MAX_CHARS: usize = 1000;
/// The most bytes of a tool's input schema as JSON.
pub const TOOL_SCHEMA_MAX_BYTES: usize = 16 * 1024;

/// What names of the platform's own tools begin with, today's and those to come: no workflow can take one.
pub const RESERVED_TOOL_PREFIXES: &[&str] = &[
    "agents_",
    "analytics_",
    "ar_",
    "billing_",
    "catalog_",
    "chat_",
    "connections_",
    "files_",
    "inbound_webhooks_",
    "llm_",
    "mcp_",
    "memory_",
    "pats_",
    "runs_",
    "surfaces_",
    "tasks_",
    "tenantdata_",
    "tests_",
    "triggers_",
    "vault_",
    "workflow_",
    "workflows_",
];

/// How a workflow is offered as a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExposedTool {
    /// The tool's name, unique in the project: a letter of a-z, then letters, digits and underscores, at most 64. The
    /// beginnings of the platform's own tools (`workflows_`, `runs_`, …) are reserved.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z][a-z0-9_]*$", example = "triage_order")]
    pub name: String,
    /// What it does and when to use it, for a model.
    #[schema(min_length = 1, max_length = 1000, example = "Sorts a new order by what has to happen next.")]
    pub description: String,
    /// The JSON Schema of its arguments, an object's; the graph's `input_schema` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input_schema: Option<Value>,
}

impl ExposedTool {
    /// What can be kept.
    ///
    /// # Errors
    /// Invalid, naming the field.
    pub fn checked(mut self) -> Result<Self> {
        let wrong =
            |field: &str, what: String| Err(Error::invalid(format!("expose_as_tool.{field}: {what}")));
        if !is_tool_name(&self.name) {
            return wrong(
                "name",
                format!(
                    "must be a letter of a-z, then letters of a-z, digits or underscores, at most {NAME_MAX_CHARS} of them."
                ),
            );
        }
        if let Some(prefix) = RESERVED_TOOL_PREFIXES.iter().find(|prefix| self.name.starts_with(**prefix)) {
            return wrong(
                "name",
                format!("names that begin with {prefix} are the platform's own; use another."),
            );
        }
        self.description = self.description.trim().to_owned();
        let length = self.description.chars().count();
        if length == 0 || length > DESCRIPTION_MAX_CHARS {
            return wrong(
                "description",
                format!("must have 1 to {DESCRIPTION_MAX_CHARS} characters, it has {length}."),
            );
        }
        if let Some(schema) = &self.input_schema {
            let size = schema.to_string().len();
            if size > TOOL_SCHEMA_MAX_BYTES {
                return wrong(
                    "input_schema",
                    format!("must be at most {TOOL_SCHEMA_MAX_BYTES} bytes of JSON, it has {size}."),
                );
            }
            if schema.get("type").is_some_and(|kind| kind != "object") || !schema.is_object() {
                return wrong(
                    "input_schema",
                    "must be the JSON Schema of an object: { \"type\": \"object\", … }.".to_owned(),
                );
            }
            if let Some(problem) = json_schema::problems(schema).first() {
                return wrong("input_schema", format!("this is no usable JSON Schema: {}.", problem.message));
            }
        }
        Ok(self)
    }
}

/// Whether a workflow's tool may have this name, reserved beginnings aside.
pub fn is_tool_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_MAX_CHARS
        && name.chars().all(plain)
}

/// The arguments' schema of a tool whose author gave none: what the graph says of its input, where that is the schema
/// of an object and small enough to be listed.
pub fn input_schema_of(graph: &Value) -> Option<Value> {
    let schema = Graph::read(graph).ok()?.input_schema?;
    let is_object = schema.is_object() && schema.get("type").is_none_or(|kind| kind == "object");
    (is_object && schema.to_string().len() <= TOOL_SCHEMA_MAX_BYTES).then_some(schema)
}

/// A schema as MCP wants it: it says that it is an object's.
pub fn as_tool_schema(schema: Option<Value>) -> Value {
    let mut schema = schema.unwrap_or_else(|| json!({}));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("type".to_owned(), "object".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tool: Value) -> String {
        let tool: ExposedTool = serde_json::from_value(tool).unwrap();
        tool.checked().unwrap_err().message
    }

    #[test]
    fn tool_fields_that_do_not_fit_are_named() {
        for name in ["", "1a", "_a", "A", "a-b", "a b", "ä", &"a".repeat(65)] {
            let why = refused(json!({ "name": name, "description": "d" }));
            assert!(why.starts_with("expose_as_tool.name: must be"), "{name}: {why}");
        }
        for prefix in RESERVED_TOOL_PREFIXES {
            let why = refused(json!({ "name": format!("{prefix}x"), "description": "d" }));
            assert!(why.contains(prefix), "{why}");
        }
        for description in ["", "  ", &"x".repeat(1001)] {
            let why = refused(json!({ "name": "a", "description": description }));
            assert!(why.starts_with("expose_as_tool.description: must have"), "{why}");
        }
        let large = json!({ "type": "object", "description": "x".repeat(TOOL_SCHEMA_MAX_BYTES) });
        for schema in [json!([]), json!("a"), json!({ "type": "string" }), json!({ "type": 7 }), large] {
            let why = refused(json!({ "name": "a", "description": "d", "input_schema": schema }));
            assert!(why.starts_with("expose_as_tool.input_schema: "), "{why}");
        }
    }

    #[test]
    fn the_graphs_schema_is_taken_where_it_is_an_objects() {
        let steps = json!([{ "id": "a", "type": "lua_script", "script": "return {}" }]);
        let of = |schema: &Value| input_schema_of(&json!({ "input_schema": schema, "steps": steps }));
        let object = json!({ "properties": { "n": { "type": "number" } } });
        assert_eq!(of(&object), Some(object));
        let large = json!({ "description": "x".repeat(TOOL_SCHEMA_MAX_BYTES) });
        for other in [json!({ "type": "array" }), json!(7), large] {
            assert_eq!(of(&other), None);
        }
        assert_eq!(input_schema_of(&json!({ "steps": steps })), None);
        assert_eq!(as_tool_schema(None), json!({ "type": "object" }));
    }
}
