//! What a workspace has left, what it has used, and what that costs.

mod grant;
mod pricing;
mod usage;
mod usage_dimensions;
mod usage_history;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(usage::usage))
        .routes(routes!(usage_history::usage_history))
        .routes(routes!(usage_dimensions::usage_dimensions))
        .routes(routes!(pricing::pricing, pricing::set_price))
        .routes(routes!(grant::grant))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
