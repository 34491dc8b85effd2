//! `GET /v1/mcp/instances`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::api::{CanReadMcp, CommonErrors, Cursor, Page, Query};
use shared::services::mcp::instance::list;
use shared::services::mcp::view::InstanceView;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::list::ListQuery;

/// Instances, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Instances {
    /// The instances.
    instances: Vec<InstanceView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the project's instances, newest first.
#[utoipa::path(get, path = "/v1/mcp/instances", tag = "mcp", params(ListQuery),
               responses((status = 200, body = Instances), CommonErrors))]
pub async fn list_instances(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Query(query): Query<ListQuery>,
) -> Result<Json<Instances>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = list(&state, &caller.place, page.limit, page.after()?).await?;
    let instances = listed.rows.into_iter().map(InstanceView::new).collect::<Result<_>>()?;
    Ok(Json(Instances { instances, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
