//! Operators open workspaces: a tenant, its first project, and its first token; and let somebody in again when nobody
//! can come in any more.

mod admin;
mod create_admin;
mod create_workspace;

pub use create_workspace::open;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(create_workspace::create_workspace))
        .routes(routes!(create_admin::create_admin))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
