//! Triggers: a row each, beside the versions of their workflow. A trigger that is enabled stands in the deadline
//! index with its next due time. Every change of a row is conditional on its `revision`, whoever makes it, so that
//! a change of the schedule and a due time that is acted on at the same moment cannot undo each other.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{self, Item, n, s};
use super::keys::{self, DEADLINE_PK, DEADLINE_SK, PK};
use super::walk::Listed;
use super::{QuotaGuard, Store, StoreError};
use engine::trigger::{CatchUp, Pending, TriggerError};
use types::clock::Timestamp;
use types::ids::{Place, RunId, TriggerId, TriggerRef, WorkflowId};

/// The most triggers of a workflow.
pub const MOST_TRIGGERS: u64 = 100;

/// Counts the triggers, in a row of its own.
const COUNT: &str = "trigger_count";

/// A trigger's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TriggerRecord {
    /// The trigger.
    pub id: TriggerId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The workflow it starts.
    pub workflow_id: WorkflowId,
    /// Its name.
    pub name: String,
    /// The cron expression.
    pub cron: String,
    /// The time zone's name.
    pub timezone: String,
    /// Whether it fires.
    pub enabled: bool,
    /// What becomes of missed due times.
    pub catch_up: CatchUp,
    /// The `params` of its starts, as JSON text.
    pub params: String,
    /// Whoever made or last changed it may not have tools called.
    #[serde(default)]
    pub without_mcp: bool,
    /// The due time that is acted on next; none while it is not enabled.
    pub next_run_at: Option<Timestamp>,
    /// Whether that one fires however old it is.
    pub catching_up: bool,
    /// When its latest run was accepted.
    pub last_run_at: Option<Timestamp>,
    /// That run.
    pub last_run_id: Option<RunId>,
    /// Why the latest due time that started no run did not.
    pub last_error: Option<TriggerError>,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
}

impl TriggerRecord {
    /// What finds its row.
    pub fn key(&self) -> TriggerRef {
        TriggerRef { place: self.place.clone(), workflow_id: self.workflow_id, trigger_id: self.id }
    }

    /// What decides what is done with it next.
    pub fn pending(&self) -> Pending {
        Pending { next_run_at: self.next_run_at, catching_up: self.catching_up, catch_up: self.catch_up }
    }
}

impl Store {
    /// Keeps a new trigger.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this id, when the workflow has [`MOST_TRIGGERS`], or when
    /// another is made or deleted at the same moment.
    pub async fn create_trigger(&self, record: &TriggerRecord, guard: QuotaGuard) -> Result<(), StoreError> {
        let not_there = format!("attribute_not_exists({PK})");
        let condition = format!("attribute_not_exists({COUNT}) OR {COUNT} < :most");
        let count = self.count_by(&record.key(), 1, &condition, [(":most", MOST_TRIGGERS)])?;
        let mut writes = vec![self.put_if(row(record)?, Some(&not_there), [])?, count];
        writes.extend(guard.writes());
        self.transact(writes).await
    }

    /// How many triggers a workflow has.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn count_triggers(&self, place: &Place, id: WorkflowId) -> Result<u64, StoreError> {
        match self.get(keys::trigger_count(place, id)).await? {
            Some(row) => item::number(&row, COUNT),
            None => Ok(0),
        }
    }

    /// A trigger; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn trigger(&self, key: &TriggerRef) -> Result<Option<TriggerRecord>, StoreError> {
        self.get(keys::trigger(key)).await?.map(record).transpose()
    }

    /// A workflow's triggers, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_triggers(
        &self,
        place: &Place,
        workflow_id: WorkflowId,
        limit: usize,
        cursor: Option<TriggerId>,
    ) -> Result<Listed<TriggerRecord>, StoreError> {
        let key = |id| keys::trigger(&TriggerRef { place: place.clone(), workflow_id, trigger_id: id });
        let pk = keys::workflow_graphs(place, workflow_id);
        let place = |row: &TriggerRecord| row.id.to_string();
        self.list_newest(&pk, keys::TRIGGER, limit, cursor.map(key), place).await
    }

    /// Replaces a trigger's row, and moves it in the deadline index with it. The revision is advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone.
    pub async fn save_trigger(&self, record: &mut TriggerRecord) -> Result<(), StoreError> {
        let expected = record.revision;
        record.revision += 1;
        self.replace_at(row(record)?, expected).await
    }

    /// Deletes a trigger.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is none of this id, or when another is made or deleted at the same
    /// moment.
    pub async fn delete_trigger(&self, key: &TriggerRef) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keys::trigger(key).into_map()))
            .condition_expression(format!("attribute_exists({PK})"))
            .build()
            .map_err(|error| StoreError::Corrupt(error.into()))?;
        let count = self.count_by(key, -1, &format!("attribute_exists({COUNT})"), [])?;
        self.transact(vec![TransactWriteItem::builder().delete(delete).build(), count]).await
    }

    /// Adds to a workflow's count of triggers, as part of a transaction.
    fn count_by(
        &self,
        key: &TriggerRef,
        by: i8,
        condition: &str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::trigger_count(&key.place, key.workflow_id).into_map()))
            .update_expression(format!("ADD {COUNT} :by"))
            .expression_attribute_values(":by", n(by))
            .condition_expression(condition);
        for (name, value) in values {
            update = update.expression_attribute_values(name, n(value));
        }
        let update = update.build().map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// How many triggers a workflow has, by the row that counts them.
pub(super) fn counted(row: &Item) -> Result<u64, StoreError> {
    item::number(row, COUNT)
}

fn row(record: &TriggerRecord) -> Result<Item, StoreError> {
    let key = record.key();
    let mut item = with_key(keys::trigger(&key), record)?;
    if let Some(due) = record.next_run_at {
        item.insert(DEADLINE_PK.to_owned(), s(keys::trigger_shard_of(&key)));
        item.insert(DEADLINE_SK.to_owned(), s(keys::trigger_position(due, &key)));
    }
    Ok(item)
}

fn record(item: Item) -> Result<TriggerRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
