//! What making and changing members have in common: which addresses and roles a member can have.

use std::collections::BTreeMap;

use crate::state::AppState;
use store::MemberRecord;
use types::ids::{ProjectId, TenantId};
use types::role::Role;
use types::{Error, Result};

/// The most projects in which a member has a role of its own.
const MOST_PROJECT_ROLES: usize = 100;
/// The most characters of an address (RFC 5321).
const LONGEST_EMAIL: usize = 254;

/// An address for people to write to: something before and after one `@`.
pub(super) fn email(text: &str) -> Result<String> {
    let text = text.trim();
    let fits = text.len() <= LONGEST_EMAIL && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.split_once('@');
    if fits && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@')) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("email: must be an address of at most {LONGEST_EMAIL} characters.")))
}

/// Roles in single projects: of projects that there are, and below `tenant_admin`, which is not a project's.
pub(super) async fn project_roles(
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
pub(super) fn check_roles(record: &MemberRecord) -> Result<()> {
    if record.role.is_none() && record.project_roles.is_empty() {
        let message =
            "role, project_roles: give at least one; a member without any role is removed with DELETE.";
        return Err(Error::invalid(message));
    }
    Ok(())
}
