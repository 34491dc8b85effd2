//! `POST /v1/mcp/servers`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanWriteMcp, CommonErrors};
use shared::services::mcp::server::{NewServer, register};
use shared::services::mcp::view::ServerView;
use shared::types::mcp::{AuthMode, Mode};
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A server to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateServer {
    /// Its name, 1–200 characters; as a slug it is the `service`, unique in the project.
    #[schema(min_length = 1, max_length = 200, example = "Back office")]
    name: String,
    /// Its address: streamable HTTP.
    #[schema(example = "https://mcp.example.com/mcp")]
    canonical_url: String,
    /// Whose it is.
    #[serde(default)]
    mode: Mode,
    /// How calls authenticate where a profile injects nothing.
    #[serde(default)]
    auth_mode: AuthMode,
    /// What it is for, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    description: String,
}

/// Register an MCP server by its address. Nothing is called yet.
#[utoipa::path(post, path = "/v1/mcp/servers", tag = "mcp", request_body = CreateServer,
               responses((status = 201, body = ServerView), CommonErrors))]
pub async fn create_server(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Body(new): Body<CreateServer>,
) -> Result<(StatusCode, Json<ServerView>)> {
    let new = NewServer {
        name: text::name("name", &new.name)?,
        url: new.canonical_url,
        mode: new.mode,
        auth_mode: new.auth_mode,
        description: text::text("description", &new.description)?,
        catalog_id: None,
    };
    let record = register(&state, &caller.place, new).await?;
    Ok((StatusCode::CREATED, Json(record.into())))
}
