//! What a graph's `mcp_call` steps resolve to: instances and connections. At a run's start the outcome is kept with
//! the run and never changes for it; a dry run and `resolve` show the same.

use std::collections::{BTreeMap, BTreeSet};

use super::address::{bare, is_same_url};
use super::catalog;
use super::instance::from_entry;
use super::target::binding_of;
use crate::state::AppState;
use engine::binding::{Binding, Bindings};
use platform::boxed;
use store::{InstanceRecord, McpServerRecord, QuotaGuard, StoreError};
use types::error::{ErrorCode, Kind};
use types::ids::{ConnectionId, InstanceId, McpServerId, Place, WorkflowId};
use types::mcp::{Overrides, ServerStatus};
use types::{Error, Result};
use workflow::StepKind;
use workflow::steps::{ConnectionResolution, McpCall};
use workflow::template::has_template;
use workflow::{Plan, Step};

/// The most different servers that one graph calls: their bindings stand with the run.
pub const MOST_REFERENCES: usize = 50;

/// What a step names a server by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// An instance, by its id.
    Instance(String),
    /// An address.
    Url(String),
}

impl Reference {
    /// What a step names.
    pub fn of(call: &McpCall) -> Option<Self> {
        match (&call.instance_id, &call.server_url) {
            (Some(id), _) => Some(Self::Instance(id.clone())),
            (None, Some(url)) => Some(Self::Url(url.clone())),
            (None, None) => None,
        }
    }

    /// As the author wrote it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Instance(text) | Self::Url(text) => text,
        }
    }
}

/// What a reference leads to.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// An instance and its server.
    Instance(Box<(InstanceRecord, McpServerRecord)>),
    /// An entry of the platform's catalog, of which an instance is made when a run starts.
    Catalog(&'static catalog::CatalogEntry),
    /// Nothing.
    Nothing,
}

/// What references lead to in a project, looked up together.
#[derive(Debug, Default)]
pub struct Directory {
    servers: BTreeMap<McpServerId, McpServerRecord>,
    instances: BTreeMap<InstanceId, InstanceRecord>,
}

impl Directory {
    /// Looks up what these references need: the named instances and their servers in two batches; everything when
    /// an address is among them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn load(
        state: &AppState,
        place: &Place,
        references: impl IntoIterator<Item = &Reference>,
    ) -> Result<Self> {
        let mut ids: BTreeSet<InstanceId> = BTreeSet::new();
        let mut urls = false;
        for reference in references {
            match reference {
                Reference::Instance(id) => ids.extend(id.parse::<InstanceId>().ok()),
                Reference::Url(_) => urls = true,
            }
        }
        if urls {
            let (servers, instances) = state.store.all_mcp(place).await?;
            return Ok(Self {
                servers: servers.into_iter().map(|each| (each.id, each)).collect(),
                instances: instances.into_iter().map(|each| (each.id, each)).collect(),
            });
        }
        let instances = state.store.instances_of(place, ids).await?;
        let needed: BTreeSet<McpServerId> = instances.values().map(|each| each.server_id).collect();
        let servers = state.store.mcp_servers_of(place, needed).await?;
        Ok(Self { servers, instances })
    }

    /// What a reference leads to. Of several instances of a server the oldest counts.
    pub fn resolve(&self, reference: &Reference) -> Resolved {
        let found = match reference {
            Reference::Instance(id) => id.parse::<InstanceId>().ok().and_then(|id| self.instances.get(&id)),
            Reference::Url(url) => {
                let server = self.servers.values().find(|server| is_same_url(&server.canonical_url, url));
                let of = |server: &McpServerRecord| {
                    self.instances.values().find(|each| each.server_id == server.id && each.enabled)
                };
                match server {
                    Some(server) => of(server),
                    None => match catalog::of_url(url) {
                        Some(entry) => return Resolved::Catalog(entry),
                        None => None,
                    },
                }
            }
        };
        let with_server = found.and_then(|instance| Some((instance, self.servers.get(&instance.server_id)?)));
        match with_server {
            Some((instance, server)) => Resolved::Instance(Box::new((instance.clone(), server.clone()))),
            None => Resolved::Nothing,
        }
    }
}

/// What the steps of a graph, and inner steps, name servers by, whatever else is wrong with it.
pub fn references(graph: &serde_json::Value) -> BTreeSet<Reference> {
    let steps = |of: &serde_json::Value, field: &str| of[field].as_array().cloned().unwrap_or_default();
    let mut found = BTreeSet::new();
    for step in steps(graph, "steps") {
        let bodies = ["for_each_body_steps", "while_body_steps"].map(|field| steps(&step, field));
        for call in bodies.iter().flatten().chain([&step]).filter(|step| step["type"] == "mcp_call") {
            let text = |field: &str| call[field].as_str().map(str::to_owned);
            found.extend(
                text("instance_id")
                    .map(Reference::Instance)
                    .or_else(|| text("server_url").map(Reference::Url)),
            );
        }
    }
    found
}

/// The calls of a graph, whose places do not matter.
pub fn calls(plan: &Plan) -> impl Iterator<Item = (&Step, &McpCall)> {
    plan.every_step().filter_map(|step| match &step.kind {
        StepKind::McpCall(call) => Some((step, call)),
        _ => None,
    })
}

/// Resolves what the steps of a graph call, for a run that starts now. `inherited` is what the calling run resolved.
///
/// # Errors
/// Invalid when a step names a server that is not there or not enabled, or there are too many.
#[boxed]
pub async fn bind(
    state: &AppState,
    place: &Place,
    workflow: WorkflowId,
    plan: &Plan,
    inherited: &Bindings,
) -> Result<Bindings> {
    let mut bound = Bindings::new();
    let named: BTreeSet<Reference> = calls(plan).filter_map(|(_, call)| Reference::of(call)).collect();
    if named.is_empty() {
        return Ok(bound);
    }
    if named.len() > MOST_REFERENCES {
        return Err(Error::invalid(format!("The graph calls more than {MOST_REFERENCES} MCP servers.")));
    }
    let directory = Directory::load(state, place, &named).await?;
    let overrides = state.store.overrides(place, workflow).await?;
    for (step, call) in calls(plan) {
        let Some(reference) = Reference::of(call).filter(|_| step.enabled) else { continue };
        let known = bound.contains_key(&key(&reference, call.connection_resolution));
        if known {
            continue;
        }
        if has_template(reference.as_str()) {
            // Known only when the step begins: every server with an address is at hand for it.
            for server in directory.servers.values() {
                let at = Reference::Url(server.canonical_url.clone());
                if let Resolved::Instance(found) = directory.resolve(&at) {
                    let binding = binding(&found, &overrides, inherited, call.connection_resolution)?;
                    bound.entry(key(&at, call.connection_resolution)).or_insert(binding);
                }
            }
            continue;
        }
        let found = match directory.resolve(&reference) {
            Resolved::Instance(found) => *found,
            Resolved::Catalog(entry) => made(state, place, entry).await?,
            Resolved::Nothing => return Err(missing(step, &reference)),
        };
        check_enabled(step, &found)?;
        let binding = binding(&found, &overrides, inherited, call.connection_resolution)?;
        bound.insert(key(&reference, call.connection_resolution), binding);
    }
    with_providers(state, place, &mut bound).await?;
    Ok(bound)
}

/// Under what the binding of a call is kept.
pub(crate) fn key(reference: &Reference, resolution: Option<ConnectionResolution>) -> String {
    let text = match reference {
        Reference::Instance(id) => id.clone(),
        Reference::Url(url) => bare(url).to_owned(),
    };
    match resolution {
        Some(ConnectionResolution::Inherit) => format!("inherit:{text}"),
        Some(ConnectionResolution::Workspace | ConnectionResolution::Principal) | None => text,
    }
}

fn binding(
    (instance, server): &(InstanceRecord, McpServerRecord),
    overrides: &Overrides,
    inherited: &Bindings,
    resolution: Option<ConnectionResolution>,
) -> Result<Binding> {
    if resolution == Some(ConnectionResolution::Inherit)
        && let Some(theirs) = inherited.values().find(|binding| binding.instance_id == instance.id)
    {
        return Ok(theirs.clone());
    }
    let connection: Option<ConnectionId> = overrides.by_instance.get(&instance.id).copied();
    binding_of(instance, server, connection)
}

/// The server and the instance of an entry of the catalog, made now.
async fn made(
    state: &AppState,
    place: &Place,
    entry: &'static catalog::CatalogEntry,
) -> Result<(InstanceRecord, McpServerRecord)> {
    let (server, instance) = from_entry(state, place, entry, None)?;
    match state.store.create_mcp_server_with(&server, &instance, QuotaGuard::default()).await {
        Ok(()) => Ok((instance, server)),
        Err(StoreError::Conflict) => {
            // Another run has made it at the same moment, or something else has its name.
            let reference = Reference::Url(entry.url.clone());
            let again = Directory::load(state, place, [&reference]).await?;
            match again.resolve(&reference) {
                Resolved::Instance(found) => Ok(*found),
                Resolved::Catalog(_) | Resolved::Nothing => Err(StoreError::Conflict.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn missing(step: &Step, reference: &Reference) -> Error {
    let (field, text) = match reference {
        Reference::Instance(id) => ("instance_id", id),
        Reference::Url(url) => ("server_url", url),
    };
    let message = format!(
        "Step {:?}, {field}: there is no instance of an MCP server {text:?} in this project; make one with POST /v1/mcp/instances.",
        step.id
    );
    Error::new(Kind::Invalid, ErrorCode::McpInstanceNotFound, message)
}

fn check_enabled(step: &Step, (instance, server): &(InstanceRecord, McpServerRecord)) -> Result<()> {
    if instance.enabled && server.status != ServerStatus::Disabled {
        return Ok(());
    }
    let message =
        format!("Step {:?}: the MCP server {:?} or its instance is disabled.", step.id, server.name);
    Err(Error::conflict(ErrorCode::McpInstanceDisabled, message))
}

/// Whose systems the connections are for, which templates may ask.
async fn with_providers(state: &AppState, place: &Place, bound: &mut Bindings) -> Result<()> {
    let ids: BTreeSet<ConnectionId> = bound.values().filter_map(|binding| binding.connection_id).collect();
    let providers = state.store.connection_providers(place, ids).await?;
    for binding in bound.values_mut() {
        binding.provider = binding.connection_id.and_then(|id| providers.get(&id).cloned());
    }
    Ok(())
}

/// What `connection` is in templates and scripts: identities, never secrets. At the top stands that of the instance
/// whose id is the first in order, too. Which account a connection is for is not known yet: `provider_account_key` is
/// null.
pub fn connection_view(bindings: &Bindings) -> serde_json::Value {
    let identity = |binding: &Binding| {
        serde_json::json!({
            "connection_id": binding.connection_id,
            "provider": binding.provider,
            "provider_account_key": null,
            "metadata": {},
            "instance_id": binding.instance_id,
        })
    };
    let by_instance: BTreeMap<String, serde_json::Value> =
        bindings.values().map(|binding| (binding.instance_id.to_string(), identity(binding))).collect();
    let Some((primary, of_primary)) = by_instance.first_key_value() else { return serde_json::json!({}) };
    let mut view = of_primary.clone();
    view["primary_instance_id"] = serde_json::json!(primary);
    view["by_instance"] = serde_json::json!(by_instance);
    view
}
