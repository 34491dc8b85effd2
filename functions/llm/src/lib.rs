//! Models: the keys that providers are called with, the catalog, and what a model's name comes to.

mod catalog;
mod create;
mod delete;
mod list;
mod patch;
mod resolve;
mod rotate;
mod values;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(list::list_keys, create::create_key))
        .with(routes!(patch::patch_key, delete::delete_key))
        .with(routes!(rotate::rotate_key))
        .with(routes!(catalog::get_catalog))
        .with(routes!(resolve::resolve_model))
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
