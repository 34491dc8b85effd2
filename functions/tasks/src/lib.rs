//! Human tasks: what waits for people, and their answers.

mod complete;
mod pending;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(pending::inbox))
        .routes(routes!(pending::pending_of_run))
        .routes(routes!(complete::complete))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
