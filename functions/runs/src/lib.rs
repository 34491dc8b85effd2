//! Runs: commands, lists, and what became of one.

mod command;
mod context;
mod events;
mod get;
mod list;
mod retry;
mod summary;
mod wait;

shared::function! {
    routes!(command::command),
    routes!(retry::retry_run),
    routes!(list::list_runs),
    routes!(list::list_workflow_runs),
    routes!(get::get_run),
    routes!(summary::run_summary),
    routes!(events::run_events),
    routes!(context::run_context),
}
