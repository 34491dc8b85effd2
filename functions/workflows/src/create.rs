//! `POST /v1/workflows`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use shared::api::{Body, CanWrite, CommonErrors};
use shared::services::workflows::{self, WorkflowView};
use shared::workflow::tool::ExposedTool;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::answer::answer;

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
    let new = workflows::NewWorkflow {
        name: new.name,
        description: new.description,
        graph: new.graph,
        expose_as_tool: new.expose_as_tool,
    };
    let created = workflows::create(&state, &caller.place, new).await?;
    Ok(answer(StatusCode::CREATED, created))
}
