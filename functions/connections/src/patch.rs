//! `PATCH /v1/connections/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanWriteConnections, CommonErrors, Path};
use shared::services::connection::{ConnectionChange, ConnectionView, CredentialChanges, change};
use shared::types::ids::ConnectionId;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchConnection {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// Credentials by name, merged with those that are there: a text sets one, null removes one.
    #[schema(value_type = Option<std::collections::HashMap<String, Option<String>>>, example = json!({ "api_key": "…" }))]
    credentials: Option<CredentialChanges>,
}

/// Change a connection. Steps that begin after the answer use the new credentials.
#[utoipa::path(patch, path = "/v1/connections/{id}", tag = "connections", request_body = PatchConnection,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = ConnectionView), CommonErrors))]
pub async fn patch_connection(
    State(state): State<AppState>,
    CanWriteConnections(caller): CanWriteConnections,
    Path(id): Path<ConnectionId>,
    Body(patch): Body<PatchConnection>,
) -> Result<Json<ConnectionView>> {
    let name = patch.display_name.map(|name| text::name("display_name", &name)).transpose()?;
    let wanted = ConnectionChange { name, credentials: patch.credentials };
    change(&state, &caller.place, id, &wanted).await.map(Json)
}
