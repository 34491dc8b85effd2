//! Connections: credentials for systems outside, whose values go to the secret store and never come back.

mod create;
mod credentials;
mod delete;
mod get;
mod list;
mod patch;

shared::function! {
    routes!(CanReadConnections: list::list_connections, CanWriteConnections: create::create_connection),
    routes!(
        CanReadConnections: get::get_connection,
        CanWriteConnections: patch::patch_connection,
        CanWriteConnections: delete::delete_connection,
    ),
    routes!(CanReadConnections: credentials::connection_credentials),
}
