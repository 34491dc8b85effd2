//! Models: the keys that providers are called with, the catalog, and what a model's name comes to.

mod catalog;
mod create;
mod delete;
mod list;
mod patch;
mod resolve;
mod rotate;
mod values;
mod view;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(list::list_keys, create::create_key))
        .routes(routes!(patch::patch_key, delete::delete_key))
        .routes(routes!(rotate::rotate_key))
        .routes(routes!(catalog::get_catalog))
        .routes(routes!(resolve::resolve_model))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
