//! Inbound webhooks as their owners manage them. What senders call is `webhook_ingress`, with rights of its own.

mod create;
mod delete;
mod deliveries;
mod get;
mod list;
mod patch;
mod rotate;
mod view;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(list::list_inbound_webhooks, create::create_inbound_webhook))
        .routes(routes!(
            get::get_inbound_webhook,
            patch::patch_inbound_webhook,
            delete::delete_inbound_webhook
        ))
        .routes(routes!(rotate::rotate_signing_secret))
        .routes(routes!(deliveries::list_deliveries))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
