//! Inbound webhooks as their owners manage them. What senders call is `webhook_ingress`, with rights of its own.

mod create;
mod delete;
mod deliveries;
mod get;
mod list;
mod patch;
mod rotate;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(list::list_inbound_webhooks, create::create_inbound_webhook))
        .with(routes!(get::get_inbound_webhook, patch::patch_inbound_webhook, delete::delete_inbound_webhook))
        .with(routes!(rotate::rotate_signing_secret))
        .with(routes!(deliveries::list_deliveries))
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
