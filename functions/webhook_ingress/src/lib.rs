//! The public side of inbound webhooks, with the narrowest rights of all functions: it reads its subscription and
//! that one's token, reads signing secrets, writes a run and sends its message.

mod receive;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document()).routes(routes!(receive::receive_webhook))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
