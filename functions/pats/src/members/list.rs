//! `GET /v1/members`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanManageMembers, CommonErrors, Cursor, Page, Query};
use shared::services::members::{self, MemberView};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Members, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// The members.
    members: Vec<MemberView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the workspace's members, newest first.
#[utoipa::path(get, path = "/v1/members", tag = "access", params(MembersQuery),
               responses((status = 200, body = Members), CommonErrors))]
pub async fn list_members(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Query(query): Query<MembersQuery>,
) -> Result<Json<Members>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = members::list(&state, &caller.place.tenant_id, page.limit, page.after()?).await?;
    Ok(Json(Members { members: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
