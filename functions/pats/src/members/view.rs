//! Members as callers see them, and what creating and changing them have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::store::MemberRecord;
use shared::types::clock::Timestamp;
use shared::types::ids::{MemberId, ProjectId, TenantId};
use shared::types::role::Role;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// The most projects in which a member has a role of its own.
const MOST_PROJECT_ROLES: usize = 100;
/// The most characters of an address (RFC 5321).
const LONGEST_EMAIL: usize = 254;

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The member.
    #[schema(value_type = uuid::Uuid)]
    id: MemberId,
    /// Its name.
    display_name: String,
    /// Where to reach it.
    email: Option<String>,
    /// Its role in every project; null when it has none.
    role: Option<Role>,
    /// Its roles in single projects; where both are given the higher one counts.
    #[schema(value_type = BTreeMap<String, Role>)]
    project_roles: BTreeMap<ProjectId, Role>,
    /// How many tokens it has.
    tokens: usize,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When somebody changed it last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<MemberRecord> for MemberView {
    fn from(record: MemberRecord) -> Self {
        Self {
            id: record.id,
            display_name: record.display_name,
            email: record.email,
            role: record.role,
            project_roles: record.project_roles,
            tokens: record.pats.len(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

/// A member of the caller's workspace.
pub async fn find(state: &AppState, tenant: &TenantId, id: MemberId) -> Result<MemberRecord> {
    state.store.member(tenant, id).await?.ok_or_else(|| Error::not_found("member"))
}

/// An address for people to write to: something before and after one `@`.
pub fn email(text: &str) -> Result<String> {
    let text = text.trim();
    let fits = text.len() <= LONGEST_EMAIL && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.split_once('@');
    if fits && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@')) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("email: must be an address of at most {LONGEST_EMAIL} characters.")))
}

/// Roles in single projects: of projects that there are, and below `tenant_admin`, which is not a project's.
pub async fn project_roles(
    state: &AppState,
    tenant: &TenantId,
    asked: &BTreeMap<ProjectId, Role>,
) -> Result<()> {
    if asked.len() > MOST_PROJECT_ROLES {
        return Err(Error::invalid(format!("project_roles: at most {MOST_PROJECT_ROLES}.")));
    }
    if let Some((project, _)) = asked.iter().find(|(_, role)| **role > Role::ProjectAdmin) {
        return Err(Error::invalid(format!(
            "project_roles.{project}: tenant_admin is a role in the whole workspace; give it as role."
        )));
    }
    let there = state.store.projects(tenant, asked.keys()).await?;
    match asked.keys().find(|id| !there.contains(*id)) {
        Some(missing) => {
            Err(Error::invalid(format!("project_roles.{missing}: the workspace has no such project.")))
        }
        None => Ok(()),
    }
}

/// A member has something to do somewhere.
pub fn check_roles(record: &MemberRecord) -> Result<()> {
    if record.role.is_none() && record.project_roles.is_empty() {
        let message =
            "role, project_roles: give at least one; a member without any role is removed with DELETE.";
        return Err(Error::invalid(message));
    }
    Ok(())
}
