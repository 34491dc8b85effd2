//! MCP servers: registering, discovering and publishing their tools; instances with their profiles; the connections
//! that a workflow uses instead; the platform's catalog.

mod catalog;
mod instances;
mod list;
mod overrides;
mod servers;
mod tools;

shared::function! {
    routes!(CanReadMcp: catalog::platform_catalog),
    routes!(CanReadMcp: tools::list_tools),
    routes!(CanReadMcp: servers::list::list_servers, CanWriteMcp: servers::create::create_server),
    routes!(
        CanReadMcp: servers::get::get_server,
        CanWriteMcp: servers::patch::patch_server,
        CanWriteMcp: servers::delete::delete_server,
    ),
    routes!(CanWriteMcp: servers::discover::discover_tools),
    routes!(
        CanReadMcp: servers::versions::list_server_versions,
        CanWriteMcp: servers::versions::publish_tools,
    ),
    routes!(CanWriteMcp: servers::validate::validate_server),
    routes!(CanWriteMcp: servers::validate::validate_connection),
    routes!(CanReadMcp: instances::list::list_instances, CanWriteMcp: instances::create::create_instance),
    routes!(CanReadMcp: instances::resolve::resolve_instances),
    routes!(
        CanReadMcp: instances::get::get_instance,
        CanWriteMcp: instances::get::patch_instance,
        CanWriteMcp: instances::get::delete_instance,
    ),
    routes!(CanWriteMcp: instances::validate::validate_instance),
    routes!(CanExecuteMcp: instances::call::call_tool),
    routes!(CanReadMcp: instances::profiles::list_profiles, CanWriteMcp: instances::profiles::create_profile),
    routes!(CanWriteMcp: instances::profiles::patch_profile),
    routes!(CanWriteMcp: instances::profiles::set_active_profile),
    routes!(CanReadMcp: overrides::get_overrides, CanWriteMcp: overrides::put_overrides),
}
