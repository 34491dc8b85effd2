//! `GET /v1/connections/{id}`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadConnections, CommonErrors, Path};
use shared::services::connection::{ConnectionView, get};
use shared::types::ids::ConnectionId;
use shared::{AppState, Result};

/// Read a connection.
#[utoipa::path(get, path = "/v1/connections/{id}", tag = "connections", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = ConnectionView), CommonErrors))]
pub async fn get_connection(
    State(state): State<AppState>,
    CanReadConnections(caller): CanReadConnections,
    Path(id): Path<ConnectionId>,
) -> Result<Json<ConnectionView>> {
    get(&state, &caller.place, id).await.map(Json)
}
