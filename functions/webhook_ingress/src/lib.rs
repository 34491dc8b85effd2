//! The public side of inbound webhooks, with the narrowest rights of all functions: it reads its subscription and
//! that one's token, reads signing secrets, writes a run and sends its message.

mod receive;

use axum::Router;
use shared::http::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none().with(routes!(receive::receive_webhook))
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
