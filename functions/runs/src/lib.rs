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
    routes!(CanRun: command::command),
    routes!(CanRun: retry::retry_run),
    routes!(CanRead: list::list_runs),
    routes!(CanRead: list::list_workflow_runs),
    routes!(CanRead: get::get_run),
    routes!(CanRead: summary::run_summary),
    routes!(CanRead: events::run_events),
    routes!(CanRead: context::run_context),
}
