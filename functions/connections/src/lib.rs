//! Connections: credentials for systems outside, whose values go to the secret store and never come back.

mod create;
mod credentials;
mod delete;
mod get;
mod list;
mod patch;

shared::function! {
    routes!(list::list_connections, create::create_connection),
    routes!(get::get_connection, patch::patch_connection, delete::delete_connection),
    routes!(credentials::connection_credentials),
}
