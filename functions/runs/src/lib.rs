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
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(command::command))
        .with(routes!(retry::retry_run))
        .with(routes!(list::list_runs))
        .with(routes!(list::list_workflow_runs))
        .with(routes!(get::get_run))
        .with(routes!(summary::run_summary))
        .with(routes!(events::run_events))
        .with(routes!(context::run_context))
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
