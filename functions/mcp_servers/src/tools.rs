//! `GET /v1/mcp/tools`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadMcp, CommonErrors, Cursor, Page, Query};
use shared::types::ids::{InstanceId, McpServerId};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ToolsQuery {
    /// Words that the name or the description contains, in any case.
    q: Option<String>,
    /// Only tools of exactly this name.
    name: Option<String>,
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A tool of an instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundTool {
    /// The instance to call it on.
    #[schema(value_type = uuid::Uuid)]
    instance_id: InstanceId,
    /// The instance's name.
    instance_name: String,
    /// The server.
    #[schema(value_type = uuid::Uuid)]
    server_id: McpServerId,
    /// The tool's name.
    name: String,
    /// The beginning of what it does.
    description: String,
}

/// Tools, by instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundTools {
    /// The tools.
    tools: Vec<FoundTool>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Find tools among all of the project's instances.
#[utoipa::path(get, path = "/v1/mcp/tools", tag = "mcp", params(ToolsQuery),
               responses((status = 200, body = FoundTools), CommonErrors))]
pub async fn list_tools(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Query(query): Query<ToolsQuery>,
) -> Result<Json<FoundTools>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let begin: usize = page.after()?.unwrap_or(0);
    let words: Vec<String> =
        query.q.unwrap_or_default().to_lowercase().split_whitespace().map(str::to_owned).collect();
    let (_, instances) = state.store.all_mcp(&caller.place).await?;
    let mut by_server: HashMap<McpServerId, Vec<_>> = HashMap::new();
    for (server, tool) in state.store.all_tools(&caller.place).await? {
        let text = format!("{} {}", tool.name, tool.description).to_lowercase();
        let is_named = query.name.as_ref().is_none_or(|name| *name == tool.name);
        if is_named && words.iter().all(|word| text.contains(word)) {
            by_server.entry(server).or_default().push(tool);
        }
    }
    let found = instances.iter().filter(|instance| instance.enabled).flat_map(|instance| {
        by_server.get(&instance.server_id).into_iter().flatten().map(move |tool| FoundTool {
            instance_id: instance.id,
            instance_name: instance.name.clone(),
            server_id: instance.server_id,
            name: tool.name.clone(),
            description: tool.description.clone(),
        })
    });
    let mut tools: Vec<FoundTool> = found.skip(begin).take(page.limit + 1).collect();
    let next = (tools.len() > page.limit).then(|| Cursor::write(&(begin + page.limit).to_string()));
    tools.truncate(page.limit);
    Ok(Json(FoundTools { tools, next_cursor: next }))
}
