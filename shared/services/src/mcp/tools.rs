//! Finding tools among all instances of a project.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;
use platform::boxed;
use store::Listed;
use types::Result;
use types::ids::{InstanceId, McpServerId, Place};

/// What to look for.
#[derive(Debug, Default)]
pub struct ToolsWanted {
    /// Words that the name or the description contains, in any case.
    pub text: Option<String>,
    /// Only tools of exactly this name.
    pub name: Option<String>,
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

/// The tools of the instances that may be called; of these `limit`, after as many as `begin`.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn find(
    state: &AppState,
    place: &Place,
    wanted: ToolsWanted,
    limit: usize,
    begin: usize,
) -> Result<Listed<FoundTool>> {
    let words: Vec<String> =
        wanted.text.unwrap_or_default().to_lowercase().split_whitespace().map(str::to_owned).collect();
    let (_, instances) = state.store.all_mcp(place).await?;
    let mut by_server: HashMap<McpServerId, Vec<_>> = HashMap::new();
    for (server, tool) in state.store.all_tools(place).await? {
        let text = format!("{} {}", tool.name, tool.description).to_lowercase();
        let is_named = wanted.name.as_ref().is_none_or(|name| *name == tool.name);
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
    let mut rows: Vec<FoundTool> = found.skip(begin).take(limit + 1).collect();
    let next = (rows.len() > limit).then(|| (begin + limit).to_string());
    rows.truncate(limit);
    Ok(Listed { rows, next })
}
