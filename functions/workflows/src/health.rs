//! `GET /v1/health`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// Of the service.
    version: &'static str,
}

/// Ask whether the service answers.
#[utoipa::path(get, path = "/v1/health", tag = "operators", security(()), responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
