//! `POST /v1/mcp/instances/{id}/tools/{tool_name}/call`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::api::{Body, CanExecuteMcp, CommonErrors, Path};
use shared::services::mcp::instance::try_tool;
use shared::types::ids::InstanceId;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// With what to call.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallTool {
    /// The tool's arguments.
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
}

/// What a tool answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToolAnswer {
    /// The tool says that it failed.
    is_error: bool,
    /// What a step would have as its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// What the tool says of its failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Try a tool with what the instance's active profile says.
#[utoipa::path(post, path = "/v1/mcp/instances/{id}/tools/{tool_name}/call", tag = "mcp", request_body = CallTool,
               params(("id" = uuid::Uuid, Path), ("tool_name" = String, Path)),
               responses((status = 200, body = ToolAnswer), CommonErrors))]
pub async fn call_tool(
    State(state): State<AppState>,
    CanExecuteMcp(caller): CanExecuteMcp,
    Path((id, tool_name)): Path<(InstanceId, String)>,
    Body(body): Body<CallTool>,
) -> Result<Json<ToolAnswer>> {
    let answer = match try_tool(&state, &caller, id, &tool_name, body.arguments).await? {
        Ok(result) => ToolAnswer { is_error: false, result: Some(result), error: None },
        Err(error) => ToolAnswer { is_error: true, result: None, error: Some(error) },
    };
    Ok(Json(answer))
}
