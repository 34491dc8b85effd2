//! `GET /v1/workflows/{id}/versions` and `GET /v1/workflows/{id}/versions/{n}`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Path, Query};
use shared::services::workflows::{self, VersionView};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

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
    let listed = workflows::list_versions(&state, &caller.place, id, page.limit, before).await?;
    Ok(Json(Versions { versions: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
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
    Ok(Json(workflows::get_version(&state, &caller.place, id, number).await?))
}
