//! `GET /openapi.json`.

use axum::response::IntoResponse;
use http::header;

/// The document of all functions' routes. It is generated from their code (`just openapi`), and a test fails
/// when it is not what the code says; this function cannot generate it, because it knows only its own routes.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Read this document.
#[utoipa::path(get, path = "/openapi.json", tag = "operators", security(()), responses((status = 200, body = Object)))]
pub async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
