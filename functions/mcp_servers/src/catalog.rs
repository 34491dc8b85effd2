//! `GET /v1/mcp/platform-catalog`.

use axum::Json;
use serde::Serialize;
use shared::Result;
use shared::api::{CanReadMcp, CommonErrors};
use shared::services::mcp::catalog::{CatalogEntry, entries};
use utoipa::ToSchema;

/// Well-known servers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Catalog {
    /// The entries; `POST /v1/mcp/instances` with a `catalog_id` makes an instance of one.
    entries: Vec<CatalogEntry>,
}

/// List the well-known MCP servers that ship with this deployment.
#[utoipa::path(get, path = "/v1/mcp/platform-catalog", tag = "mcp",
               responses((status = 200, body = Catalog), CommonErrors))]
pub async fn platform_catalog(CanReadMcp(_caller): CanReadMcp) -> Result<Json<Catalog>> {
    Ok(Json(Catalog { entries: entries().to_vec() }))
}
