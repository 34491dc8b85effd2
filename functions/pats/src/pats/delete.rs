//! `DELETE /v1/pats/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanManagePats, CommonErrors, Path};
use shared::services::auth::Caller;
use shared::store::PatRecord;
use shared::types::error::Kind;
use shared::types::ids::PatId;
use shared::types::role::Role;
use shared::{AppState, Error, Result};

use super::revoke;

/// Revoke a token. It ends within 60 seconds everywhere.
///
/// One's own tokens, and as a project admin every token of the project whose role is not above one's own.
#[utoipa::path(delete, path = "/v1/pats/{id}", tag = "access", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_pat(
    State(state): State<AppState>,
    CanManagePats(caller): CanManagePats,
    Path(id): Path<PatId>,
) -> Result<StatusCode> {
    let pat = find(&state, &caller, id).await?;
    let may = caller.member_id == pat.member_id || caller.role >= Role::ProjectAdmin;
    if !may || pat.role > caller.role {
        let message = "Revoking another member's token needs the role project_admin, and not a lower one than \
                       the token has.";
        return Err(Error::new(Kind::Forbidden, "ROLE_TOO_LOW", message));
    }
    revoke(&state, &pat).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token of the caller's project.
pub async fn find(state: &AppState, caller: &Caller, id: PatId) -> Result<PatRecord> {
    let found = state.store.pat(id).await?.filter(|pat| pat.place == caller.place);
    found.ok_or_else(|| Error::not_found("token"))
}
