//! A member is made: a person, or a program, with roles in the workspace.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{check_roles, email, project_roles};
use super::view::MemberView;
use crate::quotas::within;
use crate::state::AppState;
use platform::boxed;
use store::{Counted, MemberRecord, QuotaGuard, StoreError};
use types::Result;
use types::ids::{MemberId, ProjectId, TenantId, seed};
use types::role::Role;
use types::text;

/// What a new member is made from.
#[derive(Debug)]
pub struct NewMember {
    /// Its name.
    pub display_name: String,
    /// Where to reach it.
    pub email: Option<String>,
    /// Its role in every project.
    pub role: Option<Role>,
    /// Its roles in single projects; where both are given the higher one counts.
    pub project_roles: BTreeMap<ProjectId, Role>,
}

/// Makes a member.
///
/// # Errors
/// Invalid, naming the field, also when a project is not there or the member would have no role;
/// conflict when the workspace has as many as it may.
#[boxed]
pub async fn create(state: &AppState, tenant: &TenantId, new: NewMember) -> Result<MemberView> {
    project_roles(state, tenant, &new.project_roles).await?;
    let now = state.clock.now();
    let record = MemberRecord {
        id: MemberId::new(now),
        tenant_id: tenant.clone(),
        display_name: text::name("display_name", &new.display_name)?,
        email: new.email.as_deref().map(email).transpose()?,
        role: new.role,
        project_roles: new.project_roles,
        pats: BTreeSet::new(),
        request: seed::request(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    check_roles(&record)?;
    let make = |guard| keep(state, &record, guard);
    Ok(within(state, Counted::Members(tenant.clone()), make).await?.into())
}

async fn keep(state: &AppState, record: &MemberRecord, guard: QuotaGuard) -> Result<MemberRecord> {
    match state.store.create_member(record, guard).await {
        // A request that is carried out again finds its own.
        Err(StoreError::Conflict) if record.request.is_some() => {
            let found = state.store.member(&record.tenant_id, record.id).await?;
            found.ok_or_else(|| StoreError::Conflict.into())
        }
        kept => {
            kept?;
            Ok(record.clone())
        }
    }
}
