//! `DELETE /v1/connections/{id}`.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{CanWriteConnections, CommonErrors, Path, Query};
use shared::services::connection::delete;
use shared::types::ids::ConnectionId;
use shared::{AppState, Result};
use utoipa::IntoParams;

/// How to delete.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// Also when it is in use.
    #[serde(default)]
    force: bool,
}

/// Delete a connection and destroy its secret. While something uses it, only with `force`.
#[utoipa::path(delete, path = "/v1/connections/{id}", tag = "connections",
               params(("id" = uuid::Uuid, Path), DeleteQuery),
               responses((status = 204), CommonErrors))]
pub async fn delete_connection(
    State(state): State<AppState>,
    CanWriteConnections(caller): CanWriteConnections,
    Path(id): Path<ConnectionId>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode> {
    delete(&state, &caller.place, id, query.force).await?;
    Ok(StatusCode::NO_CONTENT)
}
