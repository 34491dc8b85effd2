//! Connections: credentials for systems outside, whose values go to the secret store and never come back.

mod create;
mod credentials;
mod delete;
mod get;
mod list;
mod patch;
mod view;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(list::list_connections, create::create_connection))
        .routes(routes!(get::get_connection, patch::patch_connection, delete::delete_connection))
        .routes(routes!(credentials::connection_credentials))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
