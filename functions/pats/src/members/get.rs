//! `GET /v1/members/{id}`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanManageMembers, CommonErrors, Path};
use shared::services::members::{self, MemberView};
use shared::types::ids::MemberId;
use shared::{AppState, Result};

/// Read a member.
#[utoipa::path(get, path = "/v1/members/{id}", tag = "access", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = MemberView), CommonErrors))]
pub async fn get_member(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<MemberId>,
) -> Result<Json<MemberView>> {
    Ok(Json(members::get(&state, &caller.place.tenant_id, id).await?))
}
