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
use shared::http::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none().with(routes!(endpoint::mcp))
}

/// The routes.
pub fn routes() -> Router<AppState> {
    collect::<Router<AppState>>().layer(Extension(endpoint::Endpoint::default()))
}

/// Their description.
pub fn openapi() -> OpenApi {
    collect()
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes(), state)
}
