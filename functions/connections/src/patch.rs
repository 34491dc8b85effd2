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
    /// The hosts that the credentials may be sent to, as a whole. To add one, send all `credentials` again in the same
    /// request; to remove some, this is enough.
    #[schema(max_items = 20, example = json!(["mcp.example.com"]))]
    allowed_hosts: Option<Vec<String>>,
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
    let wanted =
        ConnectionChange { name, credentials: patch.credentials, allowed_hosts: patch.allowed_hosts };
    change(&state, &caller, id, &wanted).await.map(Json)
}
