//! `POST /v1/workflows/{id}/versions`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::store::{NewVersion, Version, WorkflowToolRecord};
use shared::types::error::Kind;
use shared::types::ids::WorkflowId;
use shared::types::text;
use shared::workflow::tool::input_schema_of;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::tools::tool_row;
use crate::validate::check;
use crate::versions::VersionView;
use crate::view::find_with_draft;

/// A version to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// What changed, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000, example = "first")]
    changelog: String,
}

/// Publish the draft.
///
/// A draft equal to the latest version, with the same saved defaults, publishes nothing: the answer is 200 with
/// that version.
#[utoipa::path(post, path = "/v1/workflows/{id}/versions", tag = "workflows", request_body = Publish,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 201, body = VersionView, description = "published"),
                         (status = 200, body = VersionView, description = "nothing changed since"), CommonErrors))]
pub async fn publish_version(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
    Body(publish): Body<Publish>,
) -> Result<(StatusCode, Json<VersionView>)> {
    let changelog = text::text("changelog", &publish.changelog)?;
    let (mut record, graph) = find_with_draft(&state, &caller.place, id).await?;
    if record.archived {
        let message = "The workflow is archived; restore it to publish versions.";
        return Err(Error::conflict("WORKFLOW_ARCHIVED", message));
    }
    let (report, graph) = check(&state, &caller.place, Some(id), Asked::all_of(graph)).await?;
    if !report.valid {
        let message = "The graph has errors; see issues. POST …/validate checks without publishing.";
        return Err(Error::new(Kind::Invalid, "GRAPH_INVALID", message).with_issues(report.issues));
    }
    if record.latest_hash.as_deref() == Some(report.graph_hash.as_str())
        && let Some(latest) = state.store.version(&record.place, id, record.latest_version).await?
        && latest.run_setup == record.run_setup
    {
        return Ok((StatusCode::OK, Json(VersionView::new(id, latest, Some(graph)))));
    }
    let version = Version {
        version: record.latest_version + 1,
        published_at: state.clock.now(),
        changelog,
        graph_hash: report.graph_hash,
        run_setup: record.run_setup.clone(),
    };
    // Its arguments follow the graph that a call executes.
    let tool = tool_row(&state, &record).await?.map(|row| WorkflowToolRecord {
        graph_schema: input_schema_of(&graph).map(|schema| schema.to_string()),
        ..row
    });
    let new = NewVersion { version: &version, graph: &graph, tool: tool.as_ref() };
    state.store.publish(&mut record, &new).await?;
    Ok((StatusCode::CREATED, Json(VersionView::new(id, version, Some(graph)))))
}
