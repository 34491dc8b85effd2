//! Published versions of workflows: made, listed, read.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::find::{find, find_with_draft};
use super::tools::tool_row;
use super::validation::check_all;
use crate::state::AppState;
use platform::boxed;
use store::{Listed, NewVersion, Version, WorkflowToolRecord};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{Place, WorkflowId};
use types::text;
use types::{Error, Result};
use workflow::tool::input_schema_of;

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
    fn new(workflow_id: WorkflowId, version: Version, graph_snapshot: Option<Value>) -> Self {
        let Version { version, published_at, changelog, graph_hash, run_setup } = version;
        let run_setup = run_setup.filter(|_| graph_snapshot.is_some());
        let run_setup = run_setup.and_then(|text| serde_json::from_str(&text).ok());
        Self { version, workflow_id, published_at, changelog, graph_hash, graph_snapshot, run_setup }
    }
}

/// What publishing a draft came to.
#[derive(Debug)]
pub struct Publication {
    /// The latest version.
    pub version: VersionView,
    /// Whether it was published now; else nothing has changed since it was.
    pub is_new: bool,
}

/// Publishes the draft, unless it equals the latest version, with the same saved defaults.
///
/// # Errors
/// Invalid when the changelog is too long or the graph has errors, with what they are; not found when there is no such
/// workflow; conflict when it is archived; overtaken when somebody else changes it at the same moment.
#[boxed]
pub async fn publish(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    changelog: &str,
) -> Result<Publication> {
    let changelog = text::text("changelog", changelog)?;
    let (mut record, graph) = find_with_draft(state, place, id).await?;
    if record.archived {
        let message = "The workflow is archived; restore it to publish versions.";
        return Err(Error::conflict(ErrorCode::WorkflowArchived, message));
    }
    let (report, graph) = check_all(state, place, id, graph).await?;
    if !report.valid {
        let message = "The graph has errors; see issues. POST …/validate checks without publishing.";
        return Err(Error::new(Kind::Invalid, ErrorCode::GraphInvalid, message).with_issues(report.issues));
    }
    if record.latest_hash.as_deref() == Some(report.graph_hash.as_str())
        && let Some(latest) = state.store.version(&record.place, id, record.latest_version).await?
        && latest.run_setup == record.run_setup
    {
        return Ok(Publication { version: VersionView::new(id, latest, Some(graph)), is_new: false });
    }
    let version = Version {
        version: record.latest_version + 1,
        published_at: state.clock.now(),
        changelog,
        graph_hash: report.graph_hash,
        run_setup: record.run_setup.clone(),
    };
    // Its arguments follow the graph that a call executes.
    let tool = tool_row(state, &record).await?.map(|row| WorkflowToolRecord {
        graph_schema: input_schema_of(&graph).map(|schema| schema.to_string()),
        ..row
    });
    let new = NewVersion { version: &version, graph: &graph, tool: tool.as_ref() };
    state.store.publish(&mut record, &new).await?;
    Ok(Publication { version: VersionView::new(id, version, Some(graph)), is_new: true })
}

/// A workflow's versions without their graphs, newest first, from before this one.
///
/// # Errors
/// Not found when there is no such workflow; unavailable when the database does not answer.
#[boxed]
pub async fn list_versions(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    limit: usize,
    before: Option<u32>,
) -> Result<Listed<VersionView>> {
    find(state, place, id).await?;
    let mut versions = state.store.list_versions(place, id, limit + 1, before).await?;
    let more = versions.len() > limit;
    versions.truncate(limit);
    let last = versions.last().map(|version| version.version.to_string());
    let rows = versions.into_iter().map(|version| VersionView::new(id, version, None)).collect();
    Ok(Listed { rows, next: last.filter(|_| more) })
}

/// A published version with its graph.
///
/// # Errors
/// Not found when there is none of this number; unavailable when the database does not answer.
#[boxed]
pub async fn get_version(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    number: u32,
) -> Result<VersionView> {
    let version = state.store.version(place, id, number).await?;
    let version = version.ok_or_else(|| Error::not_found("version"))?;
    let graph = state.store.version_graph(place, id, number).await?;
    Ok(VersionView::new(id, version, graph))
}
