//! `GET /v1/workflows/{id}/versions` and `GET /v1/workflows/{id}/versions/{n}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::api::{CanRead, CommonErrors, Cursor, Page, Path, Query};
use shared::store::Version;
use shared::types::clock::Timestamp;
use shared::types::ids::WorkflowId;
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::view::find;

/// A published version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// Counted from 1.
    version: u32,
    /// The workflow.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    published_at: Timestamp,
    /// What changed, in the author's words.
    changelog: String,
    /// The hash of its graph.
    graph_hash: String,
    /// Its graph; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    graph_snapshot: Option<Value>,
    /// The defaults of a start as they were saved at that time; absent when there are none, and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    run_setup: Option<Value>,
}

impl VersionView {
    /// A version with its graph, or as lists show it.
    pub fn new(workflow_id: WorkflowId, version: Version, graph_snapshot: Option<Value>) -> Self {
        let Version { version, published_at, changelog, graph_hash, run_setup } = version;
        let run_setup = run_setup.filter(|_| graph_snapshot.is_some());
        let run_setup = run_setup.and_then(|text| serde_json::from_str(&text).ok());
        Self { version, workflow_id, published_at, changelog, graph_hash, graph_snapshot, run_setup }
    }
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Versions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Versions {
    /// Without their graphs.
    versions: Vec<VersionView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List a workflow's versions, newest first.
#[utoipa::path(get, path = "/v1/workflows/{id}/versions", tag = "workflows",
               params(("id" = uuid::Uuid, Path), VersionsQuery),
               responses((status = 200, body = Versions), CommonErrors))]
pub async fn list_versions(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path(id): Path<WorkflowId>,
    Query(query): Query<VersionsQuery>,
) -> Result<Json<Versions>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let before = page.after()?;
    find(&state, &caller.place, id).await?;
    let mut versions = state.store.list_versions(&caller.place, id, page.limit + 1, before).await?;
    let more = versions.len() > page.limit;
    versions.truncate(page.limit);
    let last = versions.last().map(|version| version.version.to_string());
    let next_cursor = last.filter(|_| more).as_deref().map(Cursor::write);
    let versions = versions.into_iter().map(|version| VersionView::new(id, version, None)).collect();
    Ok(Json(Versions { versions, next_cursor }))
}

/// Read a published version.
#[utoipa::path(get, path = "/v1/workflows/{id}/versions/{n}", tag = "workflows",
               params(("id" = uuid::Uuid, Path), ("n" = u32, Path)),
               responses((status = 200, body = VersionView), CommonErrors))]
pub async fn get_version(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path((id, number)): Path<(WorkflowId, u32)>,
) -> Result<Json<VersionView>> {
    let version = state.store.version(&caller.place, id, number).await?;
    let version = version.ok_or_else(|| Error::not_found("version"))?;
    let graph = state.store.version_graph(&caller.place, id, number).await?;
    Ok(Json(VersionView::new(id, version, graph)))
}
