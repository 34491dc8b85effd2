//! Human tasks: what waits for people, and their answers.

mod complete;
mod pending;

shared::function! {
    routes!(pending::inbox),
    routes!(pending::pending_of_run),
    routes!(complete::complete),
}
