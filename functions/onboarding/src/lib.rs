//! Operators open workspaces: a tenant, its first project, and its first token; and let somebody in again when nobody
//! can come in any more.

mod create_admin;
mod create_workspace;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none().with(routes!(create_workspace::create_workspace)).with(routes!(create_admin::create_admin))
}

/// The routes.
pub fn routes() -> Router<AppState> {
    collect()
}

/// Their description.
pub fn openapi() -> OpenApi {
    collect()
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes(), state)
}
