//! `GET /v1/connections/{id}/credentials`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::api::{CanReadConnections, CommonErrors, Path};
use shared::services::connection::{MaskedCredential, masked_credentials};
use shared::types::ids::ConnectionId;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What may be shown of a connection's credentials.
#[derive(Debug, Serialize, ToSchema)]
pub struct MaskedCredentials {
    /// In their order.
    credentials: Vec<MaskedCredential>,
}

/// Show which credentials a connection holds: names, lengths, ends of long ones, never a value.
#[utoipa::path(get, path = "/v1/connections/{id}/credentials", tag = "connections",
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = MaskedCredentials), CommonErrors))]
pub async fn connection_credentials(
    State(state): State<AppState>,
    CanReadConnections(caller): CanReadConnections,
    Path(id): Path<ConnectionId>,
) -> Result<Json<MaskedCredentials>> {
    let credentials = masked_credentials(&state, &caller.place, id).await?;
    Ok(Json(MaskedCredentials { credentials }))
}
