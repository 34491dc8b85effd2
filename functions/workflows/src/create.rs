//! `POST /v1/workflows`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use shared::api::{Body, CanWrite, CommonErrors};
use shared::store::{StoreError, ToolChange, WorkflowRecord};
use shared::types::ids::{WorkflowId, seed};
use shared::types::text;
use shared::workflow::Graph;
use shared::workflow::tool::ExposedTool;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::tools::{ensure_free, row};
use crate::view::WorkflowView;

/// A workflow to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkflow {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "order-triage")]
    name: String,
    /// What it is for, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000, example = "Sorts new orders")]
    description: String,
    /// The draft graph; its schema is at `/v1/workflows/schema`.
    #[schema(value_type = Object)]
    graph: Value,
    /// The tool of the MCP server (`POST /mcp`) that it is offered as once it is published.
    #[serde(default)]
    expose_as_tool: Option<ExposedTool>,
}

/// Create a workflow.
#[utoipa::path(post, path = "/v1/workflows", tag = "workflows", request_body = NewWorkflow,
               responses((status = 201, body = WorkflowView), CommonErrors))]
pub async fn create_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Body(new): Body<NewWorkflow>,
) -> Result<Response> {
    let name = text::name("name", &new.name)?;
    let description = text::text("description", &new.description)?;
    read_draft(&new.graph)?;
    let now = state.clock.now();
    let id = WorkflowId::new(now);
    let tool = new.expose_as_tool.map(ExposedTool::checked).transpose()?;
    let row = match &tool {
        Some(tool) => Some(row(&state, &caller.place, id, tool, None).await?),
        None => None,
    };
    let record = WorkflowRecord {
        id,
        place: caller.place,
        name,
        description,
        archived: false,
        latest_version: 0,
        latest_hash: None,
        revision: 1,
        draft: 1,
        run_setup: None,
        tool: row.as_ref().map(|row| row.name.clone()),
        created_at: now,
        updated_at: now,
    };
    let change = row.as_ref().map_or(ToolChange::Kept, |row| ToolChange::Put(row, None));
    match state.store.create_workflow(&record, &new.graph, change).await {
        Err(StoreError::Conflict) => {
            if let Some(row) = &row {
                ensure_free(&state, &record.place, id, &row.name).await?;
            }
            // A request that is carried out again under its idempotency key finds its own.
            if seed::request().is_none() {
                return Err(StoreError::Conflict.into());
            }
        }
        kept => kept?,
    }
    Ok(WorkflowView::new(record, Some(new.graph), tool).answer(StatusCode::CREATED))
}

/// A draft must be readable as a graph; it need not be valid yet.
pub fn read_draft(graph: &Value) -> Result<Graph> {
    Graph::read(graph).map_err(|issues| {
        Error::new(
            shared::types::error::Kind::Invalid,
            "GRAPH_UNREADABLE",
            "graph: cannot be read as a graph; see issues.",
        )
        .with_issues(issues)
    })
}
