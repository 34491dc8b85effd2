//! How many there are of what there may not be any number of.
//!
//! Most are counted where they stand, by a query that ends at the quota: nothing has to be kept in step, and what was there
//! before there was a quota counts. So that two that are made at the same moment do not both take the last place, a
//! [`QuotaGuard`] is written with each of them that is near the quota; of two with the same one, one is written.
//!
//! A root's descendants are counted in a row of its partition, before they are started.

use aws_sdk_dynamodb::types::Select;

use super::item::{self, Item, n, s};
use super::keys::{self, Key, PK, SK};
use super::quota_guard::QuotaGuard;
use super::{Store, StoreError};
use types::ids::{InstanceId, Place, RunRef, TenantId};
use types::quotas::Quota;

/// The attribute that counts a root's descendants.
const DESCENDANTS: &str = "descendants";
/// How often places are asked for while others take them.
const MAX_TRIES: usize = 5;
/// Of what can be put away, so many times the quota may be there in all: what is put away is read to be counted.
const PUT_AWAY: u64 = 10;

/// What is counted, and whose.
#[derive(Debug, Clone)]
pub enum Counted {
    /// A tenant's projects.
    Projects(TenantId),
    /// A tenant's members.
    Members(TenantId),
    /// A project's workflows.
    Workflows(Place),
    /// A project's triggers.
    Triggers(Place),
    /// A project's connections.
    Connections(Place),
    /// A project's MCP servers.
    McpServers(Place),
    /// A project's instances of MCP servers.
    McpInstances(Place),
    /// An instance's profiles.
    McpProfiles(Place, InstanceId),
    /// A project's subscriptions.
    Webhooks(Place),
}

/// Rows to count: those of a partition that begin so, and of them those that are not put away.
struct Rows {
    pk: String,
    prefix: &'static str,
    not_put_away: Option<&'static str>,
}

impl Counted {
    /// Its quota.
    pub const fn quota(&self) -> Quota {
        match self {
            Self::Projects(_) => Quota::Projects,
            Self::Members(_) => Quota::Members,
            Self::Workflows(_) => Quota::Workflows,
            Self::Triggers(_) => Quota::Triggers,
            Self::Connections(_) => Quota::Connections,
            Self::McpServers(_) => Quota::McpServers,
            Self::McpInstances(_) => Quota::McpInstances,
            Self::McpProfiles(..) => Quota::McpProfiles,
            Self::Webhooks(_) => Quota::Webhooks,
        }
    }

    fn rows(&self) -> Rows {
        let all = |pk| Rows { pk, prefix: "", not_put_away: None };
        match self {
            Self::Projects(tenant) => Rows {
                pk: keys::tenant(tenant).pk,
                prefix: keys::PROJECT,
                not_put_away: Some("attribute_not_exists(archived_at)"),
            },
            Self::Members(tenant) => all(keys::members(tenant)),
            // Triggers stand with their workflows.
            Self::Workflows(place) | Self::Triggers(place) => {
                Rows { not_put_away: Some("archived = :no"), ..all(keys::workflows_of(place)) }
            }
            Self::Connections(place) => all(keys::connections_of(place)),
            Self::McpServers(place) => all(keys::mcp_servers_of(place)),
            Self::McpInstances(place) => all(keys::instances_of(place)),
            Self::McpProfiles(place, instance) => all(keys::profiles_of(place, *instance)),
            Self::Webhooks(place) => all(keys::subscriptions_of(place)),
        }
    }

    fn guard(&self) -> Key {
        match self {
            Self::Projects(tenant) | Self::Members(tenant) => keys::quota_of_tenant(tenant, self.quota()),
            Self::Workflows(place)
            | Self::Triggers(place)
            | Self::Connections(place)
            | Self::McpServers(place)
            | Self::McpInstances(place)
            | Self::McpProfiles(place, _)
            | Self::Webhooks(place) => keys::quota(place, self.quota()),
        }
    }
}

impl Store {
    /// How many there are, as far as `most`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_things(&self, of: &Counted, most: u64) -> Result<u64, StoreError> {
        match of {
            Counted::Triggers(place) => self.count_triggers_of_project(place, most).await,
            _ => self.count_rows(&of.rows(), most).await,
        }
    }

    async fn count_rows(&self, rows: &Rows, most: u64) -> Result<u64, StoreError> {
        let max_looked_at = if rows.not_put_away.is_some() { most.saturating_mul(PUT_AWAY) } else { most };
        let (mut found, mut looked_at, mut start) = (0, 0, None);
        while found < most {
            if looked_at >= max_looked_at {
                return Ok(most);
            }
            let mut query = self
                .rows_of(&rows.pk, rows.prefix)
                .select(Select::Count)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .limit(i32::try_from(max_looked_at - looked_at).unwrap_or(i32::MAX));
            if let Some(filter) = rows.not_put_away {
                query = query.filter_expression(filter);
                if filter.contains(":no") {
                    query = query.expression_attribute_values(":no", item::no());
                }
            }
            let page = self.send(query).await?;
            found += u64::try_from(page.count).unwrap_or(0);
            looked_at += u64::try_from(page.scanned_count).unwrap_or(0);
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found.min(most))
    }

    /// Each workflow counts its own.
    async fn count_triggers_of_project(&self, place: &Place, most: u64) -> Result<u64, StoreError> {
        let (mut found, mut start) = (0, None);
        loop {
            let query = self
                .rows_of(&keys::workflows_of(place), "")
                .projection_expression(SK)
                .set_exclusive_start_key(start)
                .limit(100);
            let page = self.send(query).await?;
            let mut counts = Vec::new();
            for workflow in page.items.unwrap_or_default() {
                let id = item::text(&workflow, SK)?.parse();
                let id = id.map_err(|_| StoreError::Corrupt("a workflow without an id".into()))?;
                counts.push(keys::trigger_count(place, id).into_map());
            }
            if !counts.is_empty() {
                let rows = self.get_batch(counts).await?;
                found += rows.iter().map(super::triggers::counted).sum::<Result<u64, _>>()?;
            }
            start = page.last_evaluated_key;
            if start.is_none() || found >= most {
                return Ok(found.min(most));
            }
        }
    }

    /// What has to be read before counting, to be written with what is made after it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn quota_guard(&self, of: &Counted) -> Result<QuotaGuard, StoreError> {
        let row = self.get(of.guard()).await?;
        let revision = row.map(|row| item::number(&row, "revision")).transpose()?;
        let next = guard_row(of, revision.unwrap_or(0) + 1);
        let write = match revision {
            None => self.put_if(next, Some(&format!("attribute_not_exists({PK})")), []),
            Some(read) => self.put_if(next, Some("revision = :revision"), [(":revision", n(read))]),
        };
        Ok(QuotaGuard::of(write?))
    }

    /// A guard with which nothing is written: what is there already is found, as when it is made again.
    ///
    /// # Errors
    /// Never, but for a row that cannot be built.
    pub fn no_room(&self, of: &Counted) -> Result<QuotaGuard, StoreError> {
        // Revisions count from 1.
        let write = self.put_if(guard_row(of, 0), Some("revision = :revision"), [(":revision", n(0))])?;
        Ok(QuotaGuard::of(write))
    }

    /// Counts further descendants of a run before they are started, as far as `most`; returns for how many there was
    /// room. One whose answer is lost is counted twice.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_descendants(
        &self,
        root: &RunRef,
        retry: u32,
        further: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut wanted = further.min(most);
        for _ in 0..MAX_TRIES {
            if wanted == 0 {
                return Ok(0);
            }
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(keys::descendants(root, retry).into_map()))
                .update_expression(format!("ADD {DESCENDANTS} :further"))
                .condition_expression(format!(
                    "attribute_not_exists({DESCENDANTS}) OR {DESCENDANTS} <= :before"
                ))
                .expression_attribute_values(":further", n(wanted))
                .expression_attribute_values(":before", n(most - wanted));
            match self.send(update).await {
                Ok(_) => return Ok(wanted),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
            let row = self.get(keys::descendants(root, retry)).await?;
            let counted = row.map(|row| item::number(&row, DESCENDANTS)).transpose()?.unwrap_or(0);
            wanted = further.min(most.saturating_sub(counted));
        }
        Err(StoreError::Busy)
    }
}

fn guard_row(of: &Counted, revision: u64) -> Item {
    let mut row = of.guard().into_map();
    row.insert("revision".to_owned(), n(revision));
    row.insert("quota".to_owned(), s(of.quota().name()));
    row
}
