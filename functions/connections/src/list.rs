//! `GET /v1/connections`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadConnections, CommonErrors, Cursor, Page, Query};
use shared::services::connection::{ConnectionView, list};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Connections, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Connections {
    /// The connections.
    connections: Vec<ConnectionView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the project's connections, newest first.
#[utoipa::path(get, path = "/v1/connections", tag = "connections", params(ConnectionsQuery),
               responses((status = 200, body = Connections), CommonErrors))]
pub async fn list_connections(
    State(state): State<AppState>,
    CanReadConnections(caller): CanReadConnections,
    Query(query): Query<ConnectionsQuery>,
) -> Result<Json<Connections>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = list(&state, &caller.place, page.limit, page.after()?).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Connections { connections: listed.rows, next_cursor }))
}
