//! Who may come in: tokens, the projects they are valid in, the members they belong to, and the trail of what was
//! done with them.

mod audit;
mod members;
mod pats;
mod projects;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(pats::list::list_pats, pats::create::create_pat))
        .with(routes!(pats::delete::delete_pat))
        .with(routes!(pats::reveal::reveal_pat))
        .with(routes!(projects::list::list_projects, projects::create::create_project))
        .with(routes!(
            projects::get::get_project,
            projects::patch::patch_project,
            projects::archive::archive_project
        ))
        .with(routes!(projects::restore::restore_project))
        .with(routes!(members::list::list_members, members::create::create_member))
        .with(routes!(members::get::get_member, members::patch::patch_member, members::delete::delete_member))
        .with(routes!(audit::list_audit))
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
