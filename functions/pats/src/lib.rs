//! Who may come in: tokens, the projects they are valid in, the members they belong to, and the trail of what was
//! done with them.

mod audit;
mod members;
mod pats;
mod projects;

shared::function! {
    routes!(CanListPats: pats::list::list_pats, CanManagePats: pats::create::create_pat),
    routes!(CanManagePats: pats::delete::delete_pat),
    routes!(CanManagePats: pats::reveal::reveal_pat),
    routes!(
        CanManageMembers: projects::list::list_projects,
        CanManageMembers: projects::create::create_project,
    ),
    routes!(
        CanManageMembers: projects::get::get_project,
        CanManageMembers: projects::patch::patch_project,
        CanManageMembers: projects::archive::archive_project,
    ),
    routes!(CanManageMembers: projects::restore::restore_project),
    routes!(CanManageMembers: members::list::list_members, CanManageMembers: members::create::create_member),
    routes!(
        CanManageMembers: members::get::get_member,
        CanManageMembers: members::patch::patch_member,
        CanManageMembers: members::delete::delete_member,
    ),
    routes!(CanAudit: audit::list_audit),
}
