//! `POST /v1/mcp/instances/resolve`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::api::{Body, CanReadMcp, CommonErrors};
use shared::services::mcp::bind::{Directory, Reference, Resolved, references};
use shared::types::ids::{ConnectionId, InstanceId, McpServerId, WorkflowId};
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
    let graph = match (what.workflow_id, what.graph) {
        (None, Some(graph)) => graph,
        (Some(id), None) => {
            let missing = || Error::not_found("workflow");
            let record = state.store.workflow(&caller.place, id).await?.ok_or_else(missing)?;
            state.store.draft(&record).await?
        }
        _ => return Err(Error::invalid("graph: send either workflow_id or graph.")),
    };
    let overrides = match what.workflow_id {
        Some(id) => state.store.overrides(&caller.place, id).await?,
        None => shared::types::mcp::Overrides::default(),
    };
    let named = references(&graph);
    let directory = Directory::load(&state, &caller.place, &named).await?;
    let resolution = |reference: &Reference| {
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
    };
    let resolutions = named.iter().map(resolution).collect::<Result<_>>()?;
    Ok(Json(Resolutions { resolutions }))
}
