//! Projects: a row each beside their tenant's. An archived one keeps what is in it, and takes no tokens.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::answer::OnContention;
use super::item::unless_of_another;
use super::item::with_key;
use super::item::{Item, s};
use super::keys::{self, PK, PROJECT, SK};
use super::walk::Listed;
use super::{QuotaGuard, Store, StoreError};
use types::clock::Timestamp;
use types::ids::{ProjectId, TenantId};

/// A project's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectRecord {
    /// The project.
    pub project_id: ProjectId,
    /// Its workspace.
    pub tenant_id: TenantId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Since when it is put away.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub archived_at: Option<Timestamp>,
    /// The request that made it.
    #[serde(rename = "made_by", skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Store {
    /// Keeps a new project. A request that is carried out again finds its own.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this id.
    pub async fn create_project(&self, record: &ProjectRecord, guard: QuotaGuard) -> Result<(), StoreError> {
        let (condition, values) = unless_of_another(record.request.as_deref());
        if let Some(guard) = guard.writes() {
            let row = self.put_if(row(record)?, Some(&condition), values)?;
            return self.transact(vec![row, guard]).await;
        }
        self.put_where(row(record)?, OnContention::SendAgain, |put| {
            let put = put.condition_expression(condition);
            values.into_iter().fold(put, |put, (name, value)| put.expression_attribute_values(name, value))
        })
        .await
    }

    /// A project; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn project(
        &self,
        tenant: &TenantId,
        id: &ProjectId,
    ) -> Result<Option<ProjectRecord>, StoreError> {
        self.get(keys::project(tenant, id)).await?.map(record).transpose()
    }

    /// Which of these projects there are.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn projects(
        &self,
        tenant: &TenantId,
        wanted: impl Iterator<Item = &ProjectId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        let keys: Vec<Item> = wanted.map(|id| keys::project(tenant, id).into_map()).collect();
        if keys.is_empty() {
            return Ok(BTreeSet::new());
        }
        let found = self.get_batch(keys).await?.into_iter();
        found.map(|item| record(item).map(|row| row.project_id)).collect()
    }

    /// A tenant's projects, by their ids, after `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_projects(
        &self,
        tenant: &TenantId,
        limit: usize,
        cursor: Option<ProjectId>,
    ) -> Result<Listed<ProjectRecord>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("{PK} = :pk AND begins_with({SK}, :project)"))
            .expression_attribute_values(":pk", s(keys::tenant(tenant).pk))
            .expression_attribute_values(":project", s(PROJECT))
            .set_exclusive_start_key(cursor.map(|id| keys::project(tenant, &id).into_map()))
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX));
        let items = self.send(query).await?.items.unwrap_or_default();
        let mut rows = items.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| row.project_id.to_string());
        Ok(Listed { rows, next })
    }

    /// Replaces a project's row. The revision is advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn save_project(&self, record: &mut ProjectRecord) -> Result<(), StoreError> {
        let expected = record.revision;
        record.revision += 1;
        self.replace_at(row(record)?, expected).await
    }
}

pub(super) fn row(record: &ProjectRecord) -> Result<Item, StoreError> {
    with_key(keys::project(&record.tenant_id, &record.project_id), record)
}

fn record(item: Item) -> Result<ProjectRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
