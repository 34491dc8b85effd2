//! Open human tasks: a row each, written and deleted in one transaction with the run that puts or takes back
//! the task. The tenant's inbox lists them through the index of its feed.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{Delete, KeysAndAttributes, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::{self, Item, s};
use super::keys::{self, FEED_SK, PK, SK, TENANT_PK};
use super::run_lists::just_before;
use super::walk::{Listed, Rows, Walk};
use super::{Store, StoreError, blob};
use engine::{Run, Slot, TaskChange};
use platform::patience::Trouble;
use types::clock::Timestamp;
use types::ids::{ProjectId, RunRef, TenantId, WorkflowId};

/// A later end of the wait than the one in the body: a pause has put it off.
const EXPIRES_LATER: &str = "expires_later";

/// An open human task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Its run.
    #[serde(flatten)]
    pub run: RunRef,
    /// The run's workflow.
    pub workflow_id: WorkflowId,
    /// The version that the run executes.
    pub version: u32,
    /// The step, or the place in a loop.
    pub slot: Slot,
    /// What people call it.
    pub task_id: String,
    /// The step, by its id.
    pub step_id: String,
    /// Its type.
    pub task_type: String,
    /// What the person sees.
    pub payload: Value,
    /// When it was put.
    pub created_at: Timestamp,
    /// When the answer is no longer waited for.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// The write of one task's change, as part of the run's.
    pub(super) fn task_write(
        &self,
        run: &Run,
        slot: Slot,
        change: &TaskChange,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::task(&run.key, slot).into_map();
        match change {
            TaskChange::Closed => {
                let delete = Delete::builder().table_name(&self.table).set_key(Some(key)).build();
                let delete = delete.map_err(|error| StoreError::Corrupt(error.into()))?;
                Ok(TransactWriteItem::builder().delete(delete).build())
            }
            TaskChange::Postponed(until) => {
                let update = Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(key))
                    .update_expression(format!("SET {EXPIRES_LATER} = :until"))
                    .condition_expression(format!("attribute_exists({PK})"))
                    .expression_attribute_values(":until", s(until.to_string()));
                let update = update.build().map_err(|error| StoreError::Corrupt(error.into()))?;
                Ok(TransactWriteItem::builder().update(update).build())
            }
            TaskChange::Opened(task) => {
                let record = TaskRecord {
                    run: run.key.clone(),
                    workflow_id: run.workflow_id,
                    version: run.version,
                    slot,
                    task_id: task.task_id.clone(),
                    step_id: task.step_id.clone(),
                    task_type: task.task_type.clone(),
                    payload: task.payload.clone(),
                    created_at: task.created_at,
                    expires_at: task.expires_at,
                };
                let mut row: Item = key;
                row.insert(TENANT_PK.to_owned(), s(keys::inbox(&run.key.place.tenant_id)));
                row.insert(FEED_SK.to_owned(), s(keys::inbox_position(task.created_at, &run.key, slot)));
                row.insert(item::BODY.to_owned(), item::b(blob::encode(&record)?));
                self.put_of(row)
            }
        }
    }

    /// The open tasks of a run; there are never more than a hundred.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn tasks_of_run(&self, run: &RunRef) -> Result<Vec<TaskRecord>, StoreError> {
        let rows = self.get_all(&keys::run_partition(run), keys::TASK).await?;
        rows.iter().map(record).collect()
    }

    /// The open tasks of a tenant in the projects that `keep` names, newest first, from after `cursor`. With a rare project there
    /// may be fewer than `limit` and still more to come.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn inbox(
        &self,
        tenant: &TenantId,
        limit: usize,
        cursor: Option<String>,
        keep: impl Fn(&ProjectId) -> bool,
    ) -> Result<Listed<TaskRecord>, StoreError> {
        let mut walk = Walk::new(limit, cursor, |(project, _): &(ProjectId, Item)| keep(project));
        let Listed { rows, next } = loop {
            let page = self.query_inbox(tenant, walk.page_size(), walk.place()).await?;
            if let Some(listed) = walk.take(page) {
                break listed;
            }
        };
        // The index may still show what was answered a moment ago; the rows themselves are right.
        let found = self.get_batch(rows.into_iter().map(|(_, key)| key).collect()).await?;
        let mut rows: Vec<TaskRecord> = found.iter().map(record).collect::<Result<_, _>>()?;
        rows.sort_by_key(|task| {
            std::cmp::Reverse(keys::inbox_position(task.created_at, &task.run, task.slot))
        });
        Ok(Listed { rows, next })
    }

    /// Tasks as the index has them: places in the inbox, projects and keys.
    async fn query_inbox(
        &self,
        tenant: &TenantId,
        limit: i32,
        before: Option<&String>,
    ) -> Result<Rows<String, (ProjectId, Item)>, StoreError> {
        let highest = before.map_or_else(|| "~".to_owned(), |place| just_before(place));
        if highest.as_str() < "0" {
            return Ok(Rows { rows: Vec::new(), is_last: true });
        }
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::TENANT_RUNS)
            .key_condition_expression(format!("{TENANT_PK} = :pk AND {FEED_SK} BETWEEN :low AND :high"))
            .expression_attribute_values(":pk", s(keys::inbox(tenant)))
            .expression_attribute_values(":low", s("0"))
            .expression_attribute_values(":high", s(highest))
            .scan_index_forward(false)
            .limit(limit);
        let page = self.send(query).await?;
        let is_last = page.last_evaluated_key.is_none();
        let rows = page.items.unwrap_or_default().into_iter().map(|item| {
            let project = keys::project_of_run(item::text(&item, PK)?)?;
            Ok((item::text(&item, FEED_SK)?.to_owned(), (project, key_of(&item))))
        });
        Ok(Rows { rows: rows.collect::<Result<_, StoreError>>()?, is_last })
    }

    /// Up to 100 rows by their keys, strongly consistent, in no order; missing ones are left out.
    pub(super) async fn get_batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut rows = Vec::new();
        let mut left = keys;
        let mut trouble = Trouble::new(&self.clock);
        while !left.is_empty() {
            let asked = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build();
            let asked = asked.map_err(|error| StoreError::Corrupt(error.into()))?;
            let request = self.client.batch_get_item().request_items(&self.table, asked);
            let answer = self.send(request).await?;
            let found = answer.responses.and_then(|mut all| all.remove(&self.table)).unwrap_or_default();
            found.iter().try_for_each(item::check_form)?;
            rows.extend(found);
            // Answers are cut at 16 MB, and when the table is throttled.
            let rest = answer.unprocessed_keys.and_then(|mut all| all.remove(&self.table));
            left = rest.map(|rest| rest.keys).unwrap_or_default();
            if !left.is_empty() && !trouble.pause().await {
                return Err(StoreError::Unavailable("keys stay unprocessed".into()));
            }
        }
        Ok(rows)
    }
}

fn key_of(item: &Item) -> Item {
    let part = |name: &str| item.get(name).map(|value| (name.to_owned(), value.clone()));
    [part(PK), part(SK)].into_iter().flatten().collect::<HashMap<_, _>>()
}

fn record(item: &Item) -> Result<TaskRecord, StoreError> {
    let mut record: TaskRecord = blob::decode(item::bytes(item, item::BODY)?)?;
    if item.contains_key(EXPIRES_LATER) {
        let later = item::text(item, EXPIRES_LATER)?;
        record.expires_at =
            Some(later.parse().map_err(|_| StoreError::Corrupt(format!("a time {later:?}").into()))?);
    }
    Ok(record)
}
