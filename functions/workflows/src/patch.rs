//! `PATCH /v1/workflows/{id}`.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, ErrorBody, Path, given};
use shared::services::workflows::{self, WorkflowChange, WorkflowView};
use shared::types::ids::WorkflowId;
use shared::workflow::tool::ExposedTool;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::answer::answer;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowPatch {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it is for, up to 2,000 characters.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The draft graph, whole.
    #[schema(value_type = Option<Object>)]
    graph: Option<Value>,
    /// The defaults of a start: the keys of `params`; an empty object removes them.
    #[schema(value_type = Option<Object>)]
    run_setup: Option<Map<String, Value>>,
    /// The tool of the MCP server (`POST /mcp`) that it is offered as once it is published; null takes it back.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExposedTool>)]
    expose_as_tool: Option<Option<ExposedTool>>,
}

/// Change a workflow's name, description, draft or start defaults.
#[utoipa::path(patch, path = "/v1/workflows/{id}", tag = "workflows", request_body = WorkflowPatch,
               params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "an etag")),
               responses((status = 200, body = WorkflowView),
                         (status = 412, body = ErrorBody, description = "If-Match names an older state"),
                         CommonErrors))]
pub async fn patch_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
    headers: HeaderMap,
    Body(patch): Body<WorkflowPatch>,
) -> Result<Response> {
    // A tag that is no text is none of ours.
    let if_match = headers.get(header::IF_MATCH).map(|tags| tags.to_str().unwrap_or_default().to_owned());
    let change = WorkflowChange {
        if_match,
        name: patch.name,
        description: patch.description,
        graph: patch.graph,
        run_setup: patch.run_setup,
        expose_as_tool: patch.expose_as_tool,
    };
    let changed = workflows::change(&state, &caller.place, id, change).await?;
    Ok(answer(StatusCode::OK, changed))
}
