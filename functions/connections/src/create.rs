//! `POST /v1/connections`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanWriteConnections, CommonErrors};
use shared::services::connection::{self, ConnectionView, CredentialChanges, NewConnection, Service};
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A connection to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateConnection {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Ticket system")]
    display_name: String,
    /// Whose system it is for, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "custom")]
    provider: String,
    /// What kind of credentials it holds.
    service: Service,
    /// The credentials, by name: up to 50 texts of at most 16 KiB, 60 KiB together. What is needed goes by `service`.
    #[schema(value_type = std::collections::HashMap<String, String>, example = json!({ "api_key": "…" }))]
    credentials: CredentialChanges,
    /// The hosts that the credentials may be sent to, each with its port unless that is 443: up to 20. They are sent nowhere
    /// else. When absent, those of servers that the connection is bound to within a day by the token that makes it.
    #[schema(max_items = 20, example = json!(["mcp.example.com"]))]
    allowed_hosts: Option<Vec<String>>,
}

/// Create a connection. The credentials go to the secret store and are never shown again.
#[utoipa::path(post, path = "/v1/connections", tag = "connections", request_body = CreateConnection,
               responses((status = 201, body = ConnectionView), CommonErrors))]
pub async fn create_connection(
    State(state): State<AppState>,
    CanWriteConnections(caller): CanWriteConnections,
    Body(new): Body<CreateConnection>,
) -> Result<(StatusCode, Json<ConnectionView>)> {
    let new = NewConnection {
        name: text::name("display_name", &new.display_name)?,
        provider: text::name("provider", &new.provider)?,
        service: new.service,
        credentials: new.credentials,
        allowed_hosts: new.allowed_hosts,
    };
    let created = connection::create(&state, &caller, new).await?;
    Ok((StatusCode::CREATED, Json(created)))
}
