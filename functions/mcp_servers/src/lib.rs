//! MCP servers: registering, discovering and publishing their tools; instances with their profiles; the connections
//! that a workflow uses instead; the platform's catalog.

mod catalog;
mod instances;
mod list;
mod overrides;
mod servers;
mod tools;
mod view;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(catalog::platform_catalog))
        .routes(routes!(tools::list_tools))
        .routes(routes!(servers::list::list_servers, servers::create::create_server))
        .routes(routes!(
            servers::get::get_server,
            servers::patch::patch_server,
            servers::delete::delete_server
        ))
        .routes(routes!(servers::discover::discover_tools))
        .routes(routes!(servers::versions::list_server_versions, servers::versions::publish_tools))
        .routes(routes!(servers::validate::validate_server))
        .routes(routes!(servers::validate::validate_connection))
        .routes(routes!(instances::list::list_instances, instances::create::create_instance))
        .routes(routes!(instances::resolve::resolve_instances))
        .routes(routes!(
            instances::get::get_instance,
            instances::get::patch_instance,
            instances::get::delete_instance
        ))
        .routes(routes!(instances::validate::validate_instance))
        .routes(routes!(instances::call::call_tool))
        .routes(routes!(instances::profiles::list_profiles, instances::profiles::create_profile))
        .routes(routes!(instances::profiles::patch_profile))
        .routes(routes!(instances::profiles::set_active_profile))
        .routes(routes!(overrides::get_overrides, overrides::put_overrides))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
