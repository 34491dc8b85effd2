//! Operators open workspaces: a tenant, its first project, and its first token; and let somebody in again when nobody
//! can come in any more.

mod create_admin;
mod create_workspace;

shared::function! {
    routes!(Operator: create_workspace::create_workspace),
    routes!(Operator: create_admin::create_admin),
}
