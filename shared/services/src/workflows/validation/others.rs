//! What a graph's steps refer to, looked up for its validation.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::mcp::bind::{Directory, MOST_REFERENCES, Reference, Resolved, references};
use crate::state::AppState;
use store::WorkflowRecord;
use types::Result;
use types::ids::{McpServerId, Place, WorkflowId};
use types::mcp::ToolSpec;
use workflow::validate::{Bindings, Called, ModelKeys, Server, Tool, Tools};

/// What a graph's steps refer to: workflows and servers, as far as they are there, and keys of model providers.
pub struct Others {
    own: Option<WorkflowId>,
    known: HashMap<WorkflowId, WorkflowRecord>,
    servers: Directory,
    /// By the server's id: the tools of its active version.
    tools: HashMap<McpServerId, Arc<Vec<ToolSpec>>>,
    models: Option<ModelKeys>,
}

impl Others {
    /// Looks them up.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn load(
        state: &AppState,
        place: &Place,
        own: Option<WorkflowId>,
        graph: &Value,
    ) -> Result<Self> {
        let wanted: BTreeSet<_> = called(graph).into_iter().map(|id| (place.clone(), id)).collect();
        let known = state.store.workflows(&wanted).await?;
        let named = references(graph);
        // More of them than a run may call is reported when the run starts.
        let named: Vec<_> = named.iter().take(MOST_REFERENCES).collect();
        let models = model_keys(state, place, graph).await?;
        let mut others = Self { own, known, servers: Directory::default(), tools: HashMap::new(), models };
        if named.is_empty() {
            return Ok(others);
        }
        others.servers = Directory::load(state, place, named.iter().copied()).await?;
        for reference in named {
            if let Resolved::Instance(found) = others.servers.resolve(reference)
                && let Some(version) = found.1.active_version
                && !others.tools.contains_key(&found.1.id)
            {
                let tools = state.mcp.tools(&state.store, place, found.1.id, version).await?;
                others.tools.insert(found.1.id, tools);
            }
        }
        Ok(others)
    }
}

impl Bindings for Others {
    fn tools(&self, server: Server<'_>) -> Tools<'_> {
        let reference = match server {
            Server::Instance(id) => Reference::Instance(id.to_owned()),
            Server::Url(url) => Reference::Url(url.to_owned()),
        };
        let found = match self.servers.resolve(&reference) {
            Resolved::Instance(found) => found,
            Resolved::Catalog(entry) => return Tools::WillBeMade(&entry.name),
            Resolved::Nothing => return Tools::NoServer,
        };
        let Some(tools) = self.tools.get(&found.1.id) else { return Tools::Unknown };
        let tools =
            tools.iter().map(|tool| Tool { name: &tool.name, input_schema: Some(&tool.input_schema) });
        Tools::Known(tools.collect())
    }

    fn workflow(&self, id: &str) -> Called {
        let Ok(id) = id.parse::<WorkflowId>() else { return Called::NoWorkflow };
        match self.known.get(&id) {
            _ if self.own == Some(id) => Called::Itself,
            None => Called::NoWorkflow,
            Some(record) if record.archived || record.latest_version == 0 => Called::NotRunnable,
            Some(_) => Called::Published,
        }
    }

    fn model_keys(&self) -> Option<&ModelKeys> {
        self.models.as_ref()
    }
}

/// The steps and inner steps of a graph, whatever else is wrong with it.
fn steps(graph: &Value) -> impl Iterator<Item = &Value> {
    let inner =
        |step| ["for_each_body_steps", "while_body_steps"].into_iter().flat_map(move |body| list(step, body));
    list(graph, "steps").iter().flat_map(move |step| inner(step).chain([step]))
}

fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The ids in their `workflow_id`.
fn called(graph: &Value) -> BTreeSet<WorkflowId> {
    steps(graph).filter_map(|step| step["workflow_id"].as_str()?.parse().ok()).collect()
}

/// The keys of model providers, when a graph has steps that call models.
async fn model_keys(state: &AppState, place: &Place, graph: &Value) -> Result<Option<ModelKeys>> {
    if !steps(graph).any(|step| step["type"] == "llm_call") {
        return Ok(None);
    }
    let keys = state.store.llm_keys(place).await?;
    Ok(Some(ModelKeys {
        project: keys.into_iter().map(|key| (key.id.to_string(), key.provider)).collect(),
        deployment: !(state.config.llm_system_secret.is_empty() && state.config.bedrock_region.is_empty()),
    }))
}
