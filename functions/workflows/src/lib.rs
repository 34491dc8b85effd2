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

shared::function! {
    routes!(list::list_workflows, create::create_workflow),
    routes!(get::get_workflow, patch::patch_workflow, archive::archive_workflow),
    routes!(restore::restore_workflow),
    routes!(versions::list_versions, publish::publish_version),
    routes!(versions::get_version),
    routes!(triggers::list::list_triggers, triggers::create::create_trigger),
    routes!(triggers::patch::patch_trigger, triggers::delete::delete_trigger),
    routes!(tools::list_workflow_tools),
    routes!(validate::validate_workflow),
    routes!(validate::validate_graph),
    routes!(dry_runs::graph_dry_run),
    routes!(schema::workflow_schema),
    routes!(health::health),
    routes!(openapi::openapi),
}
