//! Tenants: opened whole, with a first project, an admin and a token.

use super::item::unless_of_another;
use super::item::{n, s, with_key};
use super::members::{ADMINS, MemberRecord};
use super::pats::PatRecord;
use super::projects::{self, ProjectRecord};
use super::trail::AuditRecord;
use super::{Store, StoreError, keys};

/// What a new tenant is made from.
#[derive(Debug)]
pub struct NewTenant<'a> {
    /// Its name for people.
    pub name: &'a str,
    /// Its first project, which names the tenant.
    pub project: &'a ProjectRecord,
    /// Its first member, an admin.
    pub member: &'a MemberRecord,
    /// That member's first token.
    pub pat: &'a PatRecord,
    /// Who opens it, for the audit trail.
    pub trace: Option<&'a AuditRecord>,
}

/// An admin who comes to a tenant from outside.
#[derive(Debug)]
pub struct NewAdmin<'a> {
    /// The member.
    pub member: &'a MemberRecord,
    /// Its token.
    pub pat: &'a PatRecord,
    /// Who makes it, for the audit trail.
    pub trace: &'a AuditRecord,
}

impl Store {
    /// Keeps a new admin of a tenant with its token, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such tenant or project, the project is archived, or the member is
    /// there.
    pub async fn create_admin(&self, new: &NewAdmin<'_>) -> Result<(), StoreError> {
        let mut member = new.member.clone();
        member.pats.insert(new.pat.id);
        let mut writes = vec![
            self.new_member_write(&member)?,
            self.new_pat_write(new.pat)?,
            self.active_project_check(&new.pat.place)?,
            self.trace_write(new.trace)?,
        ];
        writes.extend(self.count_admins(&member.tenant_id, 1)?);
        self.transact(writes).await
    }

    /// Keeps a tenant with its first project, member and token, or nothing. A request that is carried out again
    /// finds its own tenant, and replaces the token, which nobody has seen.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the slug is taken.
    pub async fn create_tenant(&self, new: &NewTenant<'_>) -> Result<(), StoreError> {
        let request = new.pat.request.as_deref();
        let (condition, values) = unless_of_another(request);
        let mut tenant = keys::tenant(&new.project.tenant_id).into_map();
        tenant.insert("name".to_owned(), s(new.name));
        tenant.insert("created_at".to_owned(), s(new.project.created_at.to_string()));
        tenant.insert(ADMINS.to_owned(), n(1));
        if let Some(request) = request {
            tenant.insert("made_by".to_owned(), s(request));
        }
        let mut member = new.member.clone();
        member.pats.insert(new.pat.id);
        let mut writes = vec![
            self.put_if(tenant, Some(&condition), values)?,
            self.put_of(projects::row(new.project)?)?,
            self.put_of(with_key(keys::member(&member.tenant_id, member.id), &member)?)?,
            self.new_pat_write(new.pat)?,
        ];
        if let Some(trace) = new.trace {
            writes.push(self.trace_write(trace)?);
        }
        self.transact(writes).await
    }
}
