//! `PATCH /v1/mcp/servers/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::server::{ServerChange, change};
use shared::services::mcp::view::ServerView;
use shared::types::ids::McpServerId;
use shared::types::mcp::AuthMode;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// Whether a server may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WantedStatus {
    /// It may; whether it is `draft` or `active` goes by its versions.
    Active,
    /// Nothing calls it.
    Disabled,
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchServer {
    /// Its name, 1–200 characters, and with it its `service`.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Its address.
    canonical_url: Option<String>,
    /// How calls authenticate where a profile injects nothing.
    auth_mode: Option<AuthMode>,
    /// What it is for.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Whether it may be called.
    status: Option<WantedStatus>,
    /// The number of the published version whose tools count from now on.
    active_version: Option<u32>,
}

/// Change an MCP server. Runs under way keep the address and the version that they were started with.
#[utoipa::path(patch, path = "/v1/mcp/servers/{id}", tag = "mcp", request_body = PatchServer,
               params(("id" = uuid::Uuid, Path)), responses((status = 200, body = ServerView), CommonErrors))]
pub async fn patch_server(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<McpServerId>,
    Body(patch): Body<PatchServer>,
) -> Result<Json<ServerView>> {
    let wanted = ServerChange {
        name: patch.name.map(|name| text::name("name", &name)).transpose()?,
        url: patch.canonical_url,
        auth_mode: patch.auth_mode,
        description: patch.description.map(|what| text::text("description", &what)).transpose()?,
        enabled: patch.status.map(|status| status == WantedStatus::Active),
        active_version: patch.active_version,
    };
    Ok(Json(change(&state, &caller.place, id, wanted).await?.into()))
}
