//! Runs: commands, lists, and what became of one.

mod command;
mod context;
mod events;
mod get;
mod list;
mod retry;
mod summary;
mod wait;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(command::command))
        .routes(routes!(retry::retry_run))
        .routes(routes!(list::list_runs))
        .routes(routes!(list::list_workflow_runs))
        .routes(routes!(get::get_run))
        .routes(routes!(summary::run_summary))
        .routes(routes!(events::run_events))
        .routes(routes!(context::run_context))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
