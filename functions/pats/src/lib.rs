//! Who may come in: tokens, the projects they are valid in, the members they belong to, and the trail of what was
//! done with them.

mod audit;
mod members;
mod pats;
mod projects;

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Somebody else may change the same row at the same moment; then it is read again, at most so often.
const MOST_TRIES: usize = 5;

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(pats::list::list_pats, pats::create::create_pat))
        .routes(routes!(pats::delete::delete_pat))
        .routes(routes!(pats::reveal::reveal_pat))
        .routes(routes!(projects::list::list_projects, projects::create::create_project))
        .routes(routes!(
            projects::get::get_project,
            projects::patch::patch_project,
            projects::archive::archive_project
        ))
        .routes(routes!(projects::restore::restore_project))
        .routes(routes!(members::list::list_members, members::create::create_member))
        .routes(routes!(
            members::get::get_member,
            members::patch::patch_member,
            members::delete::delete_member
        ))
        .routes(routes!(audit::list_audit))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
