//! Who may come in: tokens, the projects they are valid in, the members they belong to, and the trail of what was
//! done with them.

mod audit;
mod members;
mod pats;
mod projects;

shared::function! {
    routes!(pats::list::list_pats, pats::create::create_pat),
    routes!(pats::delete::delete_pat),
    routes!(pats::reveal::reveal_pat),
    routes!(projects::list::list_projects, projects::create::create_project),
    routes!(projects::get::get_project, projects::patch::patch_project, projects::archive::archive_project),
    routes!(projects::restore::restore_project),
    routes!(members::list::list_members, members::create::create_member),
    routes!(members::get::get_member, members::patch::patch_member, members::delete::delete_member),
    routes!(audit::list_audit),
}
