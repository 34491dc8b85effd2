//! The deadline index: what has to be done at a time, in shards, the most overdue first. Runs stand in it with the
//! time at which somebody must look at them again, triggers with their next due time, secrets that nothing owns with the
//! time at which they are destroyed, and tenants' standings with the end of what they have.
//!
//! One row's trouble is that row's: what cannot be acted on, or not be read at all, is put off, further each time, so
//! that what is behind it has its turn.

use std::collections::HashMap;
use std::time::Duration;

use super::item::{self, Item, n, s};
use super::keys::{self, AtDeadline, DEADLINE_PK, DEADLINE_SK, PK, SK};
use super::{DueSecret, Store, StoreError};
use types::clock::Timestamp;
use types::ids::{RunRef, TenantId, TriggerRef};
use types::retry::Backoff;

/// Counts how often a row was put off; whoever writes the row anew begins again. (`deferred` is one of DynamoDB's own words.)
const DEFERRALS: &str = "deferrals";
/// For how long a row is put off the first time; twice that the next time, and so on.
const FIRST_DEFERRAL: Duration = Duration::from_secs(15);
const MAX_DEFERRAL: Duration = Duration::from_secs(15 * 60);
/// A trigger is not put off for longer: its due time would be missed by that.
const MAX_TRIGGER_DEFERRAL: Duration = Duration::from_secs(60);

/// What stands in the index with a time that has passed.
#[derive(Debug, Clone)]
pub enum Due {
    /// A run that somebody must look at.
    Run(RunRef),
    /// A trigger; whether it really is due is for its row to say.
    Trigger(TriggerRef),
    /// A secret that nothing owns.
    Secret(DueSecret),
    /// A tenant's standing with its plan; what is to be done is for its row to say.
    Standing(TenantId),
    /// Something that this version does not know.
    Unknown,
}

/// A row whose time has passed.
#[derive(Debug, Clone)]
pub struct DueRow {
    /// What it is.
    pub due: Due,
    key: Item,
    position: String,
}

impl DueRow {
    /// Its place in the index.
    pub fn position(&self) -> &str {
        &self.position
    }

    /// What tells it from all other rows, wherever it stands in the index.
    pub fn id(&self) -> String {
        let part = |name| self.key.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        format!("{}\n{}", part(PK), part(SK))
    }

    fn of(item: &Item) -> Result<Self, StoreError> {
        let position = item::text(item, DEADLINE_SK)?.to_owned();
        let due = match keys::at_deadline(&position) {
            Some(AtDeadline::Run(run)) => Due::Run(run),
            Some(AtDeadline::Trigger(trigger)) => Due::Trigger(trigger),
            Some(AtDeadline::Secret(secret)) => {
                let at = keys::deadline_of(&position).unwrap_or_default();
                Due::Secret(DueSecret { secret, at })
            }
            Some(AtDeadline::Standing(tenant)) => Due::Standing(tenant),
            None => Due::Unknown,
        };
        let key = [PK, SK].map(|name| (name.to_owned(), item.get(name).cloned()));
        let key = key.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Ok(Self { due, key, position })
    }

    /// For how long it is put off that was put off so often before.
    fn deferral(&self, before: u64) -> Duration {
        let max = match self.due {
            Due::Trigger(_) => MAX_TRIGGER_DEFERRAL,
            Due::Run(_) | Due::Secret(_) | Due::Standing(_) | Due::Unknown => MAX_DEFERRAL,
        };
        Backoff::new(FIRST_DEFERRAL, max).longest(u32::try_from(before).unwrap_or(u32::MAX))
    }
}

/// A page of the index.
#[derive(Debug)]
pub struct DuePage {
    /// The most overdue first.
    pub rows: Vec<DueRow>,
    /// The last place looked at, when there may be more behind it.
    pub next: Option<String>,
}

impl Store {
    /// What of one shard has a time before `before`, behind the place `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(
        &self,
        shard: u8,
        before: Timestamp,
        after: Option<&str>,
        limit: i32,
    ) -> Result<DuePage, StoreError> {
        // Places end in a UUID or a tenant, so nothing lies between one and the same with a space behind it.
        let low = after.map_or_else(|| "0".to_owned(), |after| format!("{after} "));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::DEADLINES)
            .key_condition_expression(format!(
                "{DEADLINE_PK} = :shard AND {DEADLINE_SK} BETWEEN :low AND :high"
            ))
            .expression_attribute_values(":shard", s(keys::deadline_shard(shard)))
            .expression_attribute_values(":low", s(low))
            .expression_attribute_values(":high", s(keys::deadline_before(before)))
            .limit(limit);
        let page = self.send(query).await?;
        // A page may also be short because its rows are large.
        let has_more = page.last_evaluated_key.is_some();
        let items = page.items.unwrap_or_default();
        let rows = items.iter().map(DueRow::of).collect::<Result<Vec<_>, _>>()?;
        let next = rows.last().filter(|_| has_more).map(|row| row.position.clone());
        Ok(DuePage { rows, next })
    }

    /// Moves a row's deadline, so that of several sweeps one acts on it; false when another has, or the row was
    /// written meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn postpone(&self, row: &DueRow, until: Timestamp) -> Result<bool, StoreError> {
        self.move_to(row, until, "", []).await
    }

    /// Puts off a row that could not be acted on, for longer each time. Nothing is read of it but how often it was put
    /// off before, so that a row which cannot be read is put off like any other.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn defer(&self, row: &DueRow, now: Timestamp) -> Result<(), StoreError> {
        let read = self.client.get_item().table_name(&self.table).set_key(Some(row.key.clone()));
        let read = read.projection_expression(DEFERRALS).consistent_read(true);
        let found = self.send(read).await?.item.unwrap_or_default();
        let before = item::number(&found, DEFERRALS).unwrap_or(0);
        let count = [(":deferred", n(before.saturating_add(1)))];
        let until = now.plus(row.deferral(before));
        self.move_to(row, until, &format!(", {DEFERRALS} = :deferred"), count).await.map(|_| ())
    }

    async fn move_to(
        &self,
        row: &DueRow,
        until: Timestamp,
        set: &str,
        values: impl IntoIterator<Item = (&'static str, aws_sdk_dynamodb::types::AttributeValue)>,
    ) -> Result<bool, StoreError> {
        let places = [(":new", s(keys::moved_position(&row.position, until))), (":old", s(&row.position))];
        let values = places.into_iter().chain(values).map(|(name, value)| (name.to_owned(), value));
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row.key.clone()))
            .update_expression(format!("SET {DEADLINE_SK} = :new{set}"))
            .condition_expression(format!("{DEADLINE_SK} = :old"))
            .set_expression_attribute_values(Some(values.collect::<HashMap<_, _>>()));
        self.update_if(update).await
    }
}
