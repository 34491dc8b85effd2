//! Members of a workspace: people, or programs, with roles. A member's row names its tokens, so that a change of its
//! roles reaches each token's row in the same transaction: whoever reads a token's row reads the role that its owner
//! has. The tenant's row counts its admins, so that two changes at a time cannot leave it without one.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{Item, n};
use super::keys::{self, Key, PK};
use super::walk::Listed;
use super::{QuotaGuard, Store, StoreError};
use types::clock::Timestamp;
use types::ids::{MemberId, PatId, ProjectId, TenantId};
use types::role::Role;

/// The most tokens of a member: with their member they are changed in one transaction, which takes 100 items.
pub const MOST_PATS: usize = 90;

/// Counts the tenant's admins, in the tenant's row.
pub(super) const ADMINS: &str = "admins";

/// A member's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// The member.
    pub id: MemberId,
    /// The workspace.
    pub tenant_id: TenantId,
    /// Its name for people.
    pub display_name: String,
    /// Where to reach it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Its role in every project.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    /// Its roles in single projects; where both are given the higher one counts.
    #[serde(default)]
    pub project_roles: BTreeMap<ProjectId, Role>,
    /// Its tokens, wherever they are valid.
    #[serde(default)]
    pub pats: BTreeSet<PatId>,
    /// The request that made it.
    #[serde(rename = "made_by", skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it last.
    pub updated_at: Timestamp,
}

impl MemberRecord {
    /// Its role in a project; none when it has nothing to do there.
    pub fn role_in(&self, project: &ProjectId) -> Option<Role> {
        self.role.max(self.project_roles.get(project).copied())
    }

    /// Whether it administers the workspace.
    pub fn is_admin(&self) -> bool {
        self.role == Some(Role::TenantAdmin)
    }
}

impl Store {
    /// Keeps a new member.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this id.
    pub async fn create_member(&self, record: &MemberRecord, guard: QuotaGuard) -> Result<(), StoreError> {
        let mut writes = vec![self.new_member_write(record)?];
        writes.extend(guard.writes());
        writes.extend(self.count_admins(&record.tenant_id, i8::from(record.is_admin()))?);
        self.transact(writes).await
    }

    pub(super) fn new_member_write(&self, record: &MemberRecord) -> Result<TransactWriteItem, StoreError> {
        self.put_if(row(record)?, Some(&format!("attribute_not_exists({PK})")), [])
    }

    /// A member; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn member(&self, tenant: &TenantId, id: MemberId) -> Result<Option<MemberRecord>, StoreError> {
        self.get(keys::member(tenant, id)).await?.map(record).transpose()
    }

    /// A tenant's members, newest first, after `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_members(
        &self,
        tenant: &TenantId,
        limit: usize,
        cursor: Option<MemberId>,
    ) -> Result<Listed<MemberRecord>, StoreError> {
        let start = cursor.map(|id| keys::member(tenant, id));
        let at = |row: &MemberRecord| row.id.to_string();
        self.list_newest(&keys::members(tenant), "", limit, start, at).await
    }

    /// Replaces a member's row, and gives each of its tokens the role that it then has; those without one end. The
    /// revision is advanced here. Returns the tokens that were changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or the tenant would have no admin.
    pub async fn save_member(
        &self,
        old: &MemberRecord,
        mut new: MemberRecord,
    ) -> Result<(MemberRecord, BTreeSet<PatId>), StoreError> {
        let mut writes = Vec::new();
        let mut touched = BTreeSet::new();
        let there = self.pats_of_member(old).await?;
        new.pats.retain(|id| there.iter().any(|pat| pat.id == *id));
        for pat in there {
            match new.role_in(&pat.place.project_id) {
                None => {
                    new.pats.remove(&pat.id);
                    writes.push(self.pat_delete(pat.id)?);
                }
                Some(role) if role.min(pat.granted) == pat.role => continue,
                Some(role) => writes.push(self.pat_role(pat.id, role.min(pat.granted))?),
            }
            touched.insert(pat.id);
        }
        writes.push(self.member_write(old, &mut new)?);
        let more = i8::from(new.is_admin()) - i8::from(old.is_admin());
        writes.extend(self.count_admins(&new.tenant_id, more)?);
        self.transact(writes).await?;
        Ok((new, touched))
    }

    /// Deletes a member with its tokens. Returns them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or the tenant would have no admin.
    pub async fn delete_member(&self, record: &MemberRecord) -> Result<BTreeSet<PatId>, StoreError> {
        let mut writes = vec![self.delete_at(keys::member(&record.tenant_id, record.id), record.revision)?];
        for id in &record.pats {
            writes.push(self.pat_delete(*id)?);
        }
        writes.extend(self.count_admins(&record.tenant_id, -i8::from(record.is_admin()))?);
        self.transact(writes).await?;
        Ok(record.pats.clone())
    }

    /// How many admins a tenant has.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn count_of_admins(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        match self.get(keys::tenant(tenant)).await? {
            Some(row) => super::item::number(&row, ADMINS),
            None => Ok(0),
        }
    }

    /// A member's row with the next revision, as part of a transaction that holds if nobody has changed it.
    pub(super) fn member_write(
        &self,
        old: &MemberRecord,
        new: &mut MemberRecord,
    ) -> Result<TransactWriteItem, StoreError> {
        new.revision = old.revision + 1;
        self.put_if(row(new)?, Some("revision = :revision"), [(":revision", n(old.revision))])
    }

    /// Adds to a tenant's count of admins, which stays above zero.
    pub(super) fn count_admins(
        &self,
        tenant: &TenantId,
        by: i8,
    ) -> Result<Option<TransactWriteItem>, StoreError> {
        if by == 0 {
            return Ok(None);
        }
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::tenant(tenant).into_map()))
            .update_expression(format!("ADD {ADMINS} :by"))
            .expression_attribute_values(":by", n(by));
        update = match by {
            1.. => update.condition_expression(format!("attribute_exists({PK})")),
            _ => update
                .condition_expression(format!("{ADMINS} > :one"))
                .expression_attribute_values(":one", n(1)),
        };
        let update = update.build().map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(Some(TransactWriteItem::builder().update(update).build()))
    }
}

fn row(record: &MemberRecord) -> Result<Item, StoreError> {
    let key: Key = keys::member(&record.tenant_id, record.id);
    with_key(key, record)
}

fn record(item: Item) -> Result<MemberRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
