//! Workflows as callers see them, and what several handlers do with them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use shared::store::{StoreError, WorkflowRecord, WorkflowStatus};
use shared::types::clock::Timestamp;
use shared::types::ids::{Place, WorkflowId};
use shared::workflow::tool::ExposedTool;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

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

    /// The answer with this status and the `ETag` header.
    pub fn answer(self, status: StatusCode) -> Response {
        let etag = HeaderValue::from_str(&self.etag);
        let mut response = (status, Json(self)).into_response();
        if let Ok(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

/// The tag of this state of a workflow.
pub fn etag(record: &WorkflowRecord) -> String {
    format!("\"{}\"", record.revision)
}

/// How often a draft may be replaced while it is read.
const MOST_READS: usize = 5;

/// A workflow of this place with its draft. The row names the draft, and one that is replaced is gone: then
/// both are read again.
pub async fn find_with_draft(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
) -> Result<(WorkflowRecord, Value)> {
    for _ in 0..MOST_READS {
        let record = find(state, place, id).await?;
        match state.store.draft(&record).await {
            Err(StoreError::Conflict) => {}
            draft => return Ok((record, draft?)),
        }
    }
    Err(StoreError::Conflict.into())
}

/// A workflow of this place.
pub async fn find(state: &AppState, place: &Place, id: WorkflowId) -> Result<WorkflowRecord> {
    state.store.workflow(place, id).await?.ok_or_else(|| Error::not_found("workflow"))
}
