//! `PATCH /v1/members/{id}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors, Path, given};
use shared::store::{MemberRecord, StoreError};
use shared::types::ids::{MemberId, ProjectId, TenantId};
use shared::types::role::Role;
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use super::view::{self, MemberView};
use crate::MOST_TRIES;

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
    Body(mut patch): Body<MemberPatch>,
) -> Result<Json<MemberView>> {
    let tenant = caller.place.tenant_id;
    if let Some(name) = &mut patch.display_name {
        *name = text::name("display_name", name)?;
    }
    if let Some(Some(address)) = &mut patch.email {
        *address = view::email(address)?;
    }
    if let Some(roles) = &patch.project_roles {
        view::project_roles(&state, &tenant, roles).await?;
    }
    for _ in 0..MOST_TRIES {
        let old = view::find(&state, &tenant, id).await?;
        let new = patch.applied(&old, &state)?;
        match state.store.save_member(&old, new).await {
            Err(StoreError::Conflict) => check_admins(&state, &tenant, &old).await?,
            saved => {
                let (new, touched) = saved?;
                touched.into_iter().for_each(|pat| state.auth.forget(pat));
                return Ok(Json(new.into()));
            }
        }
    }
    Err(StoreError::Conflict.into())
}

impl MemberPatch {
    fn applied(&self, old: &MemberRecord, state: &AppState) -> Result<MemberRecord> {
        let mut new = old.clone();
        if let Some(name) = &self.display_name {
            new.display_name.clone_from(name);
        }
        if let Some(email) = &self.email {
            new.email.clone_from(email);
        }
        if let Some(role) = self.role {
            new.role = role;
        }
        if let Some(roles) = &self.project_roles {
            new.project_roles.clone_from(roles);
        }
        new.updated_at = state.clock.now();
        view::check_roles(&new)?;
        Ok(new)
    }
}

/// A write that did not hold may have met the rule that a workspace keeps an admin.
pub async fn check_admins(state: &AppState, tenant: &TenantId, old: &MemberRecord) -> Result<()> {
    if old.is_admin() && state.store.count_of_admins(tenant).await? <= 1 {
        let message = "This is the workspace's last tenant_admin; make another one first.";
        return Err(Error::conflict("LAST_ADMIN", message));
    }
    Ok(())
}
