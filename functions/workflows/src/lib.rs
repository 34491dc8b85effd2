//! Workflows: drafts, versions, triggers, validation, the language's schema; and what a deployment says of itself.

mod archive;
mod create;
mod get;
mod health;
mod list;
mod openapi;
mod patch;
mod publish;
mod restore;
mod schema;
mod triggers;
mod validate;
mod versions;
mod view;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(list::list_workflows, create::create_workflow))
        .routes(routes!(get::get_workflow, patch::patch_workflow, archive::archive_workflow))
        .routes(routes!(restore::restore_workflow))
        .routes(routes!(versions::list_versions, publish::publish_version))
        .routes(routes!(versions::get_version))
        .routes(routes!(triggers::list::list_triggers, triggers::create::create_trigger))
        .routes(routes!(triggers::patch::patch_trigger, triggers::delete::delete_trigger))
        .routes(routes!(validate::validate_workflow))
        .routes(routes!(validate::validate_graph))
        .routes(routes!(schema::workflow_schema))
        .routes(routes!(health::health))
        .routes(routes!(openapi::openapi))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
