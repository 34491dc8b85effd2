//! `GET /v1/workflows/schema`.

use axum::Json;
use serde_json::Value;
use shared::Result;
use shared::api::{CanRead, CommonErrors};
use shared::services::workflows;

/// Read the JSON Schema of a graph, generated from the types that parse it.
#[utoipa::path(get, path = "/v1/workflows/schema", tag = "workflows",
               responses((status = 200, body = Object), CommonErrors))]
pub async fn workflow_schema(_: CanRead) -> Result<Json<&'static Value>> {
    Ok(Json(workflows::schema()))
}
