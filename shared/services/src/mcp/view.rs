//! Servers, what they offer, versions, instances and profiles as callers see them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use clients::mcp::ToolWarning;
use store::{InstanceRecord, McpServerRecord, McpVersionRecord, ProfileRecord};
use types::clock::Timestamp;
use types::ids::{ConnectionId, InstanceId, McpServerId, ProfileId};
use types::mcp::{AuthMode, Mode, ServerStatus, SourceSpec, ToolSpec};
use types::{Error, Result};

/// A server.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerView {
    #[schema(value_type = uuid::Uuid)]
    id: McpServerId,
    #[schema(example = "Back office")]
    name: String,
    /// The name as a slug, unique in the project.
    #[schema(example = "back_office")]
    service: String,
    #[schema(example = "https://mcp.example.com/mcp")]
    canonical_url: String,
    mode: Mode,
    auth_mode: AuthMode,
    description: String,
    status: ServerStatus,
    /// How many tools it has, as far as is known.
    tool_count: u32,
    /// The version whose tools count.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_version: Option<u32>,
    /// The entry of the platform's catalog that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<String>,
    /// The tools of the active version with their schemas, where one server is read; absent when none is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<ToolSpec>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl ServerView {
    /// A server with the tools of its active version.
    pub(super) fn with_tools(record: McpServerRecord, tools: Option<&[ToolSpec]>) -> Self {
        Self { tools: tools.map(<[ToolSpec]>::to_vec), ..record.into() }
    }
}

impl From<McpServerRecord> for ServerView {
    fn from(record: McpServerRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            service: record.service,
            canonical_url: record.canonical_url,
            mode: record.mode,
            auth_mode: record.auth_mode,
            description: record.description,
            status: record.status,
            tool_count: record.tool_count,
            active_version: record.active_version,
            catalog_id: record.catalog_id,
            tools: None,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

/// A published catalog of tools.
#[derive(Debug, Serialize, ToSchema)]
pub struct McpVersionView {
    #[schema(value_type = uuid::Uuid)]
    server_id: McpServerId,
    /// Counted from 1; what `active_version` names.
    number: u32,
    /// What its publisher calls it.
    #[schema(example = "1.2.0")]
    version: String,
    /// Whether its tools count.
    active: bool,
    tool_count: u32,
    /// The JSON Schema of an instance's `config`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    config_schema: Option<Value>,
    /// The tools, where one version is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<ToolSpec>>,
    /// What of the schemas nothing is checked against, where a version was just published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<ToolWarning>,
    #[schema(value_type = String, format = DateTime)]
    published_at: Timestamp,
}

impl McpVersionView {
    /// A version of a server.
    pub(super) fn new(server: &McpServerRecord, row: McpVersionRecord, tools: Option<Vec<ToolSpec>>) -> Self {
        Self {
            server_id: server.id,
            number: row.number,
            version: row.version,
            active: server.active_version == Some(row.number),
            tool_count: row.tool_count,
            config_schema: row.config_schema.and_then(|schema| serde_json::from_str(&schema).ok()),
            tools,
            warnings: Vec::new(),
            published_at: row.published_at,
        }
    }
}

/// What a server says it has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discovered {
    /// What it calls itself.
    pub(super) server_name: String,
    /// Its version.
    pub(super) server_version: String,
    /// The version of the protocol that was agreed on.
    pub(super) protocol_version: String,
    /// How many tools it has.
    pub(super) tool_count: usize,
    /// Its tools.
    pub(super) tools: Vec<ToolSpec>,
    /// Whether it was asked with credentials: without them it may have shown fewer tools.
    pub(super) authenticated: bool,
    /// What of the tools cannot be used: parts of schemas that nothing is checked against, tools that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<ToolWarning>,
}

/// An instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstanceView {
    #[schema(value_type = uuid::Uuid)]
    id: InstanceId,
    #[schema(value_type = uuid::Uuid)]
    server_id: McpServerId,
    name: String,
    /// Whether it may be called.
    enabled: bool,
    /// The profile that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    active_profile_id: Option<ProfileId>,
    /// The connection of that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl InstanceView {
    /// An instance.
    ///
    /// # Errors
    /// When its row is damaged.
    pub fn new(record: InstanceRecord) -> Result<Self> {
        Ok(Self {
            connection_id: record.source()?.connection_id,
            id: record.id,
            server_id: record.server_id,
            name: record.name,
            enabled: record.enabled,
            active_profile_id: record.active_profile,
            created_at: record.created_at,
            updated_at: record.updated_at,
        })
    }
}

/// A profile of an instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProfileView {
    #[schema(value_type = uuid::Uuid)]
    id: ProfileId,
    #[schema(value_type = uuid::Uuid)]
    instance_id: InstanceId,
    name: String,
    /// Whether it is the one that counts.
    active: bool,
    source_spec: SourceSpec,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl ProfileView {
    /// A profile of an instance.
    ///
    /// # Errors
    /// When its row is damaged.
    pub(super) fn new(instance: &InstanceRecord, record: ProfileRecord) -> Result<Self> {
        let spec = serde_json::from_str(&record.source_spec);
        Ok(Self {
            id: record.id,
            instance_id: instance.id,
            active: instance.active_profile == Some(record.id),
            name: record.name,
            source_spec: spec.map_err(Error::internal_from)?,
            created_at: record.created_at,
            updated_at: record.updated_at,
        })
    }
}
