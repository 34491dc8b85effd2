//! Workflows: drafts, versions, triggers, validation, the language's schema; and what a deployment says of itself.

mod answer;
mod archive;
mod create;
mod dry_runs;
mod get;
mod health;
mod list;
mod openapi;
mod patch;
mod publish;
mod restore;
mod schema;
mod tools;
mod triggers;
mod validate;
mod versions;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(list::list_workflows, create::create_workflow))
        .with(routes!(get::get_workflow, patch::patch_workflow, archive::archive_workflow))
        .with(routes!(restore::restore_workflow))
        .with(routes!(versions::list_versions, publish::publish_version))
        .with(routes!(versions::get_version))
        .with(routes!(triggers::list::list_triggers, triggers::create::create_trigger))
        .with(routes!(triggers::patch::patch_trigger, triggers::delete::delete_trigger))
        .with(routes!(tools::list_workflow_tools))
        .with(routes!(validate::validate_workflow))
        .with(routes!(validate::validate_graph))
        .with(routes!(dry_runs::graph_dry_run))
        .with(routes!(schema::workflow_schema))
        .with(routes!(health::health))
        .with(routes!(openapi::openapi))
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
