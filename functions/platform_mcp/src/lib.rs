//! The API as an MCP server, over stateless streamable HTTP. A tool is a request to a route of the API with the caller's
//! own token: there is one implementation of permissions, checks and shapes, and the tools' schemas come from the
//! routes' descriptions.

mod api;
mod endpoint;
mod guide;
mod health;
mod schema;
mod server;
mod tools;

pub use api::Api;

use axum::{Extension, Router};
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none().with(routes!(CanConnect: endpoint::mcp))
}

/// The routes, with tools that lead to this API.
pub fn routes(api: Api) -> Router<AppState> {
    collect::<Router<AppState>>().layer(Extension(endpoint::Endpoint::new(api)))
}

/// Their description.
pub fn openapi() -> OpenApi {
    collect()
}

/// The function as a service, whose tools call the API at its address.
pub fn router(state: AppState) -> Router {
    let api = Api::at(&state.config.platform_mcp.api_url);
    finish(routes(api), state)
}
