//! What the references of a graph's steps lead to, shown before a run starts. Nothing is made.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::bind::{Directory, Reference, Resolved, references};
use crate::state::AppState;
use platform::boxed;
use types::ids::{ConnectionId, InstanceId, McpServerId, Place, WorkflowId};
use types::mcp::Overrides;
use types::{Error, Result};

/// Whose steps to resolve.
#[derive(Debug)]
pub enum StepsOf {
    /// A workflow's draft.
    Draft(WorkflowId),
    /// A graph.
    Graph(Value),
}

/// What becomes of a reference when a run starts.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceStatus {
    /// It leads to an instance.
    Resolved,
    /// It names an entry of the platform's catalog, of which an instance will be made.
    WillBeCreated,
    /// It leads nowhere.
    NotFound,
}

/// What a reference leads to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resolution {
    /// As the graph has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    /// As the graph has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_url: Option<String>,
    /// What becomes of it.
    status: ReferenceStatus,
    /// The instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    resolved_instance_id: Option<InstanceId>,
    /// Its server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    server_id: Option<McpServerId>,
    /// The connection: the workflow's override, else the active profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
    /// The catalog's entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<String>,
}

/// What the `instance_id` and `server_url` of a graph's steps lead to, each of them once.
///
/// # Errors
/// Not found when there is no such workflow; unavailable when the database does not answer.
#[boxed]
pub async fn resolve(state: &AppState, place: &Place, of: StepsOf) -> Result<Vec<Resolution>> {
    let (graph, overrides) = match of {
        StepsOf::Graph(graph) => (graph, Overrides::default()),
        StepsOf::Draft(id) => {
            let missing = || Error::not_found("workflow");
            let record = state.store.workflow(place, id).await?.ok_or_else(missing)?;
            let graph = state.store.draft(&record).await?;
            (graph, state.store.overrides(place, id).await?)
        }
    };
    let named = references(&graph);
    let directory = Directory::load(state, place, &named).await?;
    named.iter().map(|reference| resolution(&directory, &overrides, reference)).collect()
}

fn resolution(directory: &Directory, overrides: &Overrides, reference: &Reference) -> Result<Resolution> {
    let (instance_id, server_url) = match reference {
        Reference::Instance(id) => (Some(id.clone()), None),
        Reference::Url(url) => (None, Some(url.clone())),
    };
    let nothing = Resolution {
        instance_id,
        server_url,
        status: ReferenceStatus::NotFound,
        resolved_instance_id: None,
        server_id: None,
        connection_id: None,
        catalog_id: None,
    };
    Ok(match directory.resolve(reference) {
        Resolved::Instance(found) => Resolution {
            status: ReferenceStatus::Resolved,
            resolved_instance_id: Some(found.0.id),
            server_id: Some(found.1.id),
            connection_id: match overrides.by_instance.get(&found.0.id) {
                Some(connection) => Some(*connection),
                None => found.0.source()?.connection_id,
            },
            ..nothing
        },
        Resolved::Catalog(entry) => Resolution {
            status: ReferenceStatus::WillBeCreated,
            catalog_id: Some(entry.id.clone()),
            ..nothing
        },
        Resolved::Nothing => nothing,
    })
}
