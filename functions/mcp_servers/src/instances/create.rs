//! `POST /v1/mcp/instances`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanWriteMcp, CommonErrors};
use shared::services::mcp::instance::{InstanceOf, create};
use shared::services::mcp::view::InstanceView;
use shared::types::ids::McpServerId;
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// An instance to make: of a server, or of an entry of the platform's catalog.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstance {
    /// The server.
    #[schema(value_type = Option<uuid::Uuid>)]
    server_id: Option<McpServerId>,
    /// The entry; its server is registered unless the project has it.
    #[schema(example = "github")]
    catalog_id: Option<String>,
    /// Its name; the server's when absent.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
}

/// Make an instance, which steps can call.
#[utoipa::path(post, path = "/v1/mcp/instances", tag = "mcp", request_body = CreateInstance,
               responses((status = 201, body = InstanceView), CommonErrors))]
pub async fn create_instance(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Body(new): Body<CreateInstance>,
) -> Result<(StatusCode, Json<InstanceView>)> {
    let name = new.name.map(|name| text::name("name", &name)).transpose()?;
    let of = match (new.server_id, new.catalog_id) {
        (Some(server), None) => InstanceOf::Server(server),
        (None, Some(entry)) => InstanceOf::CatalogEntry(entry),
        _ => return Err(Error::invalid("server_id: send either server_id or catalog_id.")),
    };
    let record = create(&state, &caller.place, of, name).await?;
    Ok((StatusCode::CREATED, Json(InstanceView::new(record)?)))
}
