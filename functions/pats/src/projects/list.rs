//! `GET /v1/projects`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanManageMembers, CommonErrors, Cursor, Page, Query};
use shared::services::projects::{self, ProjectView};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProjectsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Projects, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projects {
    /// The projects.
    projects: Vec<ProjectView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the workspace's projects, archived ones too, in the order of their ids.
#[utoipa::path(get, path = "/v1/projects", tag = "access", params(ProjectsQuery),
               responses((status = 200, body = Projects), CommonErrors))]
pub async fn list_projects(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Query(query): Query<ProjectsQuery>,
) -> Result<Json<Projects>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = projects::list(&state, &caller.place.tenant_id, page.limit, page.after()?).await?;
    Ok(Json(Projects { projects: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
