//! The API as an MCP server, over stateless streamable HTTP. A tool is a request to a route of the API, handed over
//! inside the process with the caller's own token: there is one implementation of permissions, checks and shapes,
//! and the tools' schemas come from the routes' descriptions.

mod api;
mod endpoint;
mod guide;
mod health;
mod schema;
mod server;
mod tools;

use axum::{Extension, Router};
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(endpoint::mcp))
        .layer(Extension(endpoint::Endpoint::default()))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
