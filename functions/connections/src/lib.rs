//! Connections: credentials for systems outside, whose values go to the secret store and never come back.

mod create;
mod credentials;
mod delete;
mod get;
mod list;
mod patch;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(list::list_connections, create::create_connection))
        .with(routes!(get::get_connection, patch::patch_connection, delete::delete_connection))
        .with(routes!(credentials::connection_credentials))
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
