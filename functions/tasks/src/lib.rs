//! Human tasks: what waits for people, and their answers.

mod complete;
mod pending;

shared::function! {
    routes!(CanRead: pending::inbox),
    routes!(CanReadTasks: pending::pending_of_run),
    routes!(CanRun: complete::complete),
}
