//! The words of MCP servers: what their fields may say.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::ids::{ConnectionId, InstanceId};

/// The most characters of a description in lists of tools.
const LONGEST_SUMMARY: usize = 300;

/// Whose a server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Somebody else runs it.
    #[default]
    ThirdParty,
    /// The workspace runs it.
    FirstParty,
}

/// How calls of a server authenticate when a profile does not say it in detail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Not at all.
    #[default]
    None,
    /// With the connection's first key as bearer.
    Token,
    /// With each key of the connection as a header of its name.
    Headers,
}

/// Where a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerStatus {
    /// No version is active.
    Draft,
    /// A version is active.
    Active,
    /// Nothing calls it.
    Disabled,
}

/// A tool as a server describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolSpec {
    /// Its name.
    #[schema(example = "create_ticket")]
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments; any object when absent or null.
    #[serde(default = "any_object", alias = "inputSchema", deserialize_with = "null_as_any_object")]
    #[schema(value_type = Option<Object>)]
    pub input_schema: Value,
    /// The JSON Schema of its structured result.
    #[serde(default, alias = "outputSchema", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<Value>,
    /// What the server says of its behaviour: hints, not promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub annotations: Option<Value>,
}

pub fn any_object() -> Value {
    serde_json::json!({ "type": "object" })
}

fn null_as_any_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Ok(Some(Value::deserialize(deserializer)?).filter(|schema| !schema.is_null()).unwrap_or_else(any_object))
}

/// A tool in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSummary {
    /// Its name.
    pub name: String,
    /// The beginning of what it does.
    pub description: String,
}

impl ToolSummary {
    /// Of a tool.
    pub fn of(tool: &ToolSpec) -> Self {
        let description = tool.description.as_deref().unwrap_or_default();
        Self { name: tool.name.clone(), description: description.chars().take(LONGEST_SUMMARY).collect() }
    }
}

/// Where a credential goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InjectAs {
    /// `Authorization: Bearer …`.
    Bearer,
    /// A header.
    Header,
    /// A parameter of the query.
    Query,
}

/// One credential and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// The connection's key.
    #[schema(example = "api_key")]
    pub credential_key: String,
    /// Where it goes.
    #[serde(rename = "as")]
    pub place: InjectAs,
    /// The header's or parameter's name, trimmed.
    #[serde(default, deserialize_with = "trimmed", skip_serializing_if = "Option::is_none")]
    #[schema(example = "X-Api-Key")]
    pub name: Option<String>,
}

/// Of names that are pasted: no header's name has blanks around it, and no parameter is meant to.
fn trimmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name: Option<String> = Option::deserialize(deserializer)?;
    Ok(name.map(|name| name.trim().to_owned()))
}

/// What a profile of an instance says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// Whose credentials are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub connection_id: Option<ConnectionId>,
    /// Which of them go where; when there are none, the server's `auth_mode` says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub inject: Vec<Injection>,
    /// Settings by name, sent with each call; not for secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What the server's `config_schema` asks for, sent with each call.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
}

/// The connections that a workflow uses instead of what profiles say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// By instance.
    pub by_instance: BTreeMap<InstanceId, ConnectionId>,
    /// Counts the changes; 0 when there was none.
    pub revision: u64,
}
