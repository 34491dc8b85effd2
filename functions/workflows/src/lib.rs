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
    routes!(CanRead: list::list_workflows, CanWrite: create::create_workflow),
    routes!(CanRead: get::get_workflow, CanWrite: patch::patch_workflow, CanWrite: archive::archive_workflow),
    routes!(CanWrite: restore::restore_workflow),
    routes!(CanRead: versions::list_versions, CanWrite: publish::publish_version),
    routes!(CanRead: versions::get_version),
    routes!(CanRead: triggers::list::list_triggers, CanWrite: triggers::create::create_trigger),
    routes!(CanWrite: triggers::patch::patch_trigger, CanWrite: triggers::delete::delete_trigger),
    routes!(CanRead: tools::list_workflow_tools),
    routes!(CanWrite: validate::validate_workflow),
    routes!(CanWrite: validate::validate_graph),
    routes!(CanRead: dry_runs::graph_dry_run),
    routes!(CanRead: schema::workflow_schema),
    routes!(Open: health::health),
    routes!(Open: openapi::openapi),
}
