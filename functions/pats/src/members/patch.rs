//! `PATCH /v1/members/{id}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors, Path, given};
use shared::services::members::{self, MemberView};
use shared::types::ids::{MemberId, ProjectId};
use shared::types::role::Role;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// Where to reach it; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Its role in every project; null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Role>)]
    role: Option<Option<Role>>,
    /// Its roles in single projects, all of them.
    #[schema(value_type = Option<BTreeMap<String, Role>>)]
    project_roles: Option<BTreeMap<ProjectId, Role>>,
}

/// Change a member. Its tokens get the role that it then has, within 60 seconds everywhere; where it has none left,
/// they end.
#[utoipa::path(patch, path = "/v1/members/{id}", tag = "access", request_body = MemberPatch,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = MemberView), CommonErrors))]
pub async fn patch_member(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Path(id): Path<MemberId>,
    Body(patch): Body<MemberPatch>,
) -> Result<Json<MemberView>> {
    let MemberPatch { display_name, email, role, project_roles } = patch;
    let change = members::MemberChange { display_name, email, role, project_roles };
    Ok(Json(members::change(&state, &caller.place.tenant_id, id, change).await?))
}
