//! A member is changed or removed. Neither leaves a workspace without an admin.

use std::collections::BTreeMap;

use super::check::{check_roles, email, project_roles};
use super::read::{MOST_TRIES, find};
use super::view::MemberView;
use crate::state::AppState;
use platform::boxed;
use store::{MemberRecord, StoreError};
use types::clock::Timestamp;
use types::error::ErrorCode;
use types::ids::{MemberId, ProjectId, TenantId};
use types::role::Role;
use types::text;
use types::{Error, Result};

/// What to change of a member; what is absent stays.
#[derive(Debug)]
pub struct MemberChange {
    /// Its name.
    pub display_name: Option<String>,
    /// Where to reach it; `Some(None)` removes it.
    pub email: Option<Option<String>>,
    /// Its role in every project; `Some(None)` takes it away.
    pub role: Option<Option<Role>>,
    /// Its roles in single projects, all of them.
    pub project_roles: Option<BTreeMap<ProjectId, Role>>,
}

/// Changes a member, and with it its tokens: they get the role that it then has, and end where it has none left.
///
/// # Errors
/// Not found; invalid, naming the field, also when a project is not there or the member would have no role; conflict
/// `LAST_ADMIN` when the workspace would have no admin.
#[boxed]
pub async fn change(
    state: &AppState,
    tenant: &TenantId,
    id: MemberId,
    mut change: MemberChange,
) -> Result<MemberView> {
    if let Some(name) = &mut change.display_name {
        *name = text::name("display_name", name)?;
    }
    if let Some(Some(address)) = &mut change.email {
        *address = email(address)?;
    }
    if let Some(roles) = &change.project_roles {
        project_roles(state, tenant, roles).await?;
    }
    for _ in 0..MOST_TRIES {
        let old = find(state, tenant, id).await?;
        let new = change.applied(&old, state.clock.now())?;
        match state.store.save_member(&old, new).await {
            Err(StoreError::Conflict) => check_admins(state, tenant, &old).await?,
            saved => {
                let (new, touched) = saved?;
                touched.into_iter().for_each(|pat| state.auth.forget(pat));
                return Ok(new.into());
            }
        }
    }
    Err(StoreError::Conflict.into())
}

impl MemberChange {
    fn applied(&self, old: &MemberRecord, now: Timestamp) -> Result<MemberRecord> {
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
        new.updated_at = now;
        check_roles(&new)?;
        Ok(new)
    }
}

/// Removes a member. Its tokens end, at once in this process and within a minute in every other.
///
/// # Errors
/// Not found; conflict `LAST_ADMIN` when the workspace would have no admin.
#[boxed]
pub async fn remove(state: &AppState, tenant: &TenantId, id: MemberId) -> Result<()> {
    for _ in 0..MOST_TRIES {
        let record = find(state, tenant, id).await?;
        match state.store.delete_member(&record).await {
            Err(StoreError::Conflict) => check_admins(state, tenant, &record).await?,
            deleted => {
                deleted?.into_iter().for_each(|pat| state.auth.forget(pat));
                return Ok(());
            }
        }
    }
    Err(StoreError::Conflict.into())
}

/// A write that did not hold may have met the rule that a workspace keeps an admin.
async fn check_admins(state: &AppState, tenant: &TenantId, old: &MemberRecord) -> Result<()> {
    if old.is_admin() && state.store.count_of_admins(tenant).await? <= 1 {
        let message = "This is the workspace's last tenant_admin; make another one first.";
        return Err(Error::conflict(ErrorCode::LastAdmin, message));
    }
    Ok(())
}
