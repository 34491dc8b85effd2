//! `DELETE /v1/members/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::store::StoreError;
use shared::types::ids::MemberId;
use shared::{AppState, Result};

use super::patch::check_admins;
use super::view::find;
use crate::MOST_TRIES;

/// Remove a member. Its tokens end, within 60 seconds everywhere.
#[utoipa::path(delete, path = "/v1/members/{id}", tag = "access", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_member(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<MemberId>,
) -> Result<StatusCode> {
    let tenant = caller.place.tenant_id;
    for _ in 0..MOST_TRIES {
        let record = find(&state, &tenant, id).await?;
        match state.store.delete_member(&record).await {
            Err(StoreError::Conflict) => check_admins(&state, &tenant, &record).await?,
            deleted => {
                deleted?.into_iter().for_each(|pat| state.auth.forget(pat));
                return Ok(StatusCode::NO_CONTENT);
            }
        }
    }
    Err(StoreError::Conflict.into())
}
