//! `POST /v1/workflows/{id}/validate` and `POST /v1/workflows/validate`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::services::mcp::bind::{Directory, MOST_REFERENCES, Reference, Resolved, references};
use shared::store::WorkflowRecord;
use shared::types::ids::{McpServerId, Place, WorkflowId};
use shared::types::mcp::ToolSpec;
use shared::workflow::validate::{Bindings, Called, ModelKeys, Report, Server, Tool, Tools, validate_with};
use shared::{AppState, Error, Result};

use crate::asked::{Asked, Validate};
use crate::dry_runs::Validation;
use crate::view::{find, find_with_draft};

/// What a graph's steps refer to: workflows and servers, as far as they are there, and keys of model providers.
struct Others {
    own: Option<WorkflowId>,
    known: HashMap<WorkflowId, WorkflowRecord>,
    servers: Directory,
    /// By the server's id: the tools of its active version.
    tools: HashMap<McpServerId, Arc<Vec<ToolSpec>>>,
    models: Option<ModelKeys>,
}

impl Others {
    async fn load(state: &AppState, place: &Place, own: Option<WorkflowId>, graph: &Value) -> Result<Self> {
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

/// Checks a graph. Scripts are compiled, and run where outputs are given, so this takes a thread that may
/// block.
pub async fn check(
    state: &AppState,
    place: &Place,
    own: Option<WorkflowId>,
    what: Asked,
) -> Result<(Report, Value)> {
    let others = Others::load(state, place, own, &what.graph).await?;
    let checking = tokio::task::spawn_blocking(move || {
        let mut report = validate_with(&what.request(), &others);
        report.add(what.issues);
        (report, what.graph)
    });
    checking.await.map_err(|error| Error::internal(format!("validation: {error}")))
}

/// Check a workflow's draft, or a graph given here, without running it.
///
/// The answer is kept for a month under the graph's hash.
#[utoipa::path(post, path = "/v1/workflows/{id}/validate", tag = "workflows", request_body = Validate,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = Validation), CommonErrors))]
pub async fn validate_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
    Body(mut body): Body<Validate>,
) -> Result<Json<Value>> {
    let (record, graph) = match body.graph.take() {
        Some(graph) => (find(&state, &caller.place, id).await?, graph),
        None => find_with_draft(&state, &caller.place, id).await?,
    };
    let asked = Asked::read(body, graph, record.run_setup.as_deref())?;
    let is_of_all_steps = asked.is_of_all_steps();
    let (report, _) = check(&state, &caller.place, Some(id), asked).await?;
    let hash = report.graph_hash.clone();
    let now = state.clock.now();
    let answer = Validation::new(report, now).write()?;
    // A verdict on some steps is none on the graph.
    if is_of_all_steps {
        state.store.keep_validation(&caller.place, id, &hash, &answer, now).await?;
    }
    Ok(Json(answer))
}

/// Check a graph that is not saved, without running it.
#[utoipa::path(post, path = "/v1/workflows/validate", tag = "workflows", request_body = Validate,
               responses((status = 200, body = Validation), CommonErrors))]
pub async fn validate_graph(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Body(mut body): Body<Validate>,
) -> Result<Json<Value>> {
    let graph = body
        .graph
        .take()
        .ok_or_else(|| Error::invalid("graph: is missing; there is no saved draft to check here."))?;
    let asked = Asked::read(body, graph, None)?;
    let (report, _) = check(&state, &caller.place, None, asked).await?;
    Ok(Json(Validation::new(report, state.clock.now()).write()?))
}
