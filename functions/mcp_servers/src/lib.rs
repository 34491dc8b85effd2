//! MCP servers: registering, discovering and publishing their tools; instances with their profiles; the connections
//! that a workflow uses instead; the platform's catalog.

mod catalog;
mod instances;
mod list;
mod overrides;
mod servers;
mod tools;

shared::function! {
    routes!(catalog::platform_catalog),
    routes!(tools::list_tools),
    routes!(servers::list::list_servers, servers::create::create_server),
    routes!(servers::get::get_server, servers::patch::patch_server, servers::delete::delete_server),
    routes!(servers::discover::discover_tools),
    routes!(servers::versions::list_server_versions, servers::versions::publish_tools),
    routes!(servers::validate::validate_server),
    routes!(servers::validate::validate_connection),
    routes!(instances::list::list_instances, instances::create::create_instance),
    routes!(instances::resolve::resolve_instances),
    routes!(instances::get::get_instance, instances::get::patch_instance, instances::get::delete_instance),
    routes!(instances::validate::validate_instance),
    routes!(instances::call::call_tool),
    routes!(instances::profiles::list_profiles, instances::profiles::create_profile),
    routes!(instances::profiles::patch_profile),
    routes!(instances::profiles::set_active_profile),
    routes!(overrides::get_overrides, overrides::put_overrides),
}
