//! `POST /v1/mcp/instances/resolve`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::api::{Body, CanReadMcp, CommonErrors};
use shared::services::mcp::resolution::{Resolution, StepsOf, resolve};
use shared::types::ids::WorkflowId;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// Whose steps to resolve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResolveInstances)]
pub struct Resolve {
    /// A workflow's draft.
    #[schema(value_type = Option<uuid::Uuid>)]
    workflow_id: Option<WorkflowId>,
    /// A graph.
    #[schema(value_type = Option<Object>)]
    graph: Option<Value>,
}

/// What the references of a graph lead to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resolutions {
    /// Each of them once.
    resolutions: Vec<Resolution>,
}

/// Show what the `instance_id` and `server_url` of a graph's steps lead to. Nothing is made.
#[utoipa::path(post, path = "/v1/mcp/instances/resolve", tag = "mcp", request_body = Resolve,
               responses((status = 200, body = Resolutions), CommonErrors))]
pub async fn resolve_instances(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Body(what): Body<Resolve>,
) -> Result<Json<Resolutions>> {
    let of = match (what.workflow_id, what.graph) {
        (None, Some(graph)) => StepsOf::Graph(graph),
        (Some(id), None) => StepsOf::Draft(id),
        _ => return Err(Error::invalid("graph: send either workflow_id or graph.")),
    };
    let resolutions = resolve(&state, &caller.place, of).await?;
    Ok(Json(Resolutions { resolutions }))
}
