//! Workflows as callers see them.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use store::{WorkflowRecord, WorkflowStatus};
use types::clock::Timestamp;
use types::ids::WorkflowId;
use workflow::tool::ExposedTool;

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowView {
    /// The workflow.
    #[schema(value_type = uuid::Uuid)]
    id: WorkflowId,
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// Its workspace.
    tenant_id: String,
    /// Its project.
    project_id: String,
    /// Where it stands.
    status: WorkflowStatus,
    /// The latest published version; null when there is none.
    latest_version: Option<u32>,
    /// Changes with every change; send it as `If-Match` to change only what you have seen.
    etag: String,
    /// The draft graph; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    graph: Option<Value>,
    /// The defaults of a start: the keys of `params`; absent when there are none, and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    run_setup: Option<Map<String, Value>>,
    /// The tool of the MCP server (`POST /mcp`) that it is offered as; absent when it is not, and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    expose_as_tool: Option<ExposedTool>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl WorkflowView {
    /// A workflow with its draft, or as lists show it.
    pub fn new(record: WorkflowRecord, graph: Option<Value>, tool: Option<ExposedTool>) -> Self {
        Self {
            status: record.status(),
            latest_version: (record.latest_version > 0).then_some(record.latest_version),
            etag: etag(&record),
            // A list of a hundred could otherwise outgrow an answer.
            run_setup: record
                .run_setup
                .filter(|_| graph.is_some())
                .and_then(|text| serde_json::from_str(&text).ok()),
            id: record.id,
            name: record.name,
            description: record.description,
            tenant_id: record.place.tenant_id.to_string(),
            project_id: record.place.project_id.to_string(),
            graph,
            expose_as_tool: tool,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }

    /// What names this state of the workflow, as the header `ETag` has it.
    pub fn etag(&self) -> &str {
        &self.etag
    }
}

/// The tag of this state of a workflow.
pub fn etag(record: &WorkflowRecord) -> String {
    format!("\"{}\"", record.revision)
}
