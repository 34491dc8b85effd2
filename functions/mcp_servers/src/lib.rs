//! MCP servers: registering, discovering and publishing their tools; instances with their profiles; the connections
//! that a workflow uses instead; the platform's catalog.

mod catalog;
mod instances;
mod list;
mod overrides;
mod servers;
mod tools;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(catalog::platform_catalog))
        .with(routes!(tools::list_tools))
        .with(routes!(servers::list::list_servers, servers::create::create_server))
        .with(routes!(servers::get::get_server, servers::patch::patch_server, servers::delete::delete_server))
        .with(routes!(servers::discover::discover_tools))
        .with(routes!(servers::versions::list_server_versions, servers::versions::publish_tools))
        .with(routes!(servers::validate::validate_server))
        .with(routes!(servers::validate::validate_connection))
        .with(routes!(instances::list::list_instances, instances::create::create_instance))
        .with(routes!(instances::resolve::resolve_instances))
        .with(routes!(
            instances::get::get_instance,
            instances::get::patch_instance,
            instances::get::delete_instance
        ))
        .with(routes!(instances::validate::validate_instance))
        .with(routes!(instances::call::call_tool))
        .with(routes!(instances::profiles::list_profiles, instances::profiles::create_profile))
        .with(routes!(instances::profiles::patch_profile))
        .with(routes!(instances::profiles::set_active_profile))
        .with(routes!(overrides::get_overrides, overrides::put_overrides))
}

/// The routes.
pub fn routes() -> Router<AppState> {
    collect()
}

/// Their description.
pub fn openapi() -> OpenApi {
    collect()
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes(), state)
}
