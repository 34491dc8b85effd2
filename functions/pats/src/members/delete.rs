//! `DELETE /v1/members/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::services::members;
use shared::types::ids::MemberId;
use shared::{AppState, Result};

/// Remove a member. Its tokens end, within 60 seconds everywhere.
#[utoipa::path(delete, path = "/v1/members/{id}", tag = "access", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_member(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<MemberId>,
) -> Result<StatusCode> {
    members::remove(&state, &caller.place.tenant_id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
