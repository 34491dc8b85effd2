//! Workflows: a small row each (what lists and starts read), the draft and the published graphs in rows beside
//! it. Every change of the small row is conditional on its `revision`, which is also the `ETag`.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;
use serde_json::Value;

use super::item::with_key;
use super::item::{self, Item, n, s};
use super::keys::{self, PK, SK};
use super::walk::{Listed, Walk};
use super::workflow_tools::{ToolChange, WorkflowToolRecord};
use super::{QuotaGuard, Store, StoreError, blob};
use types::clock::Timestamp;
use types::ids::{Place, WorkflowId};

/// What one batch of reads takes.
const MOST_OF_A_BATCH: usize = 100;

/// Where a workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowStatus {
    /// Nothing published yet.
    Draft,
    /// Has a version, which runs can be started of.
    Published,
    /// Put away; runs under way go on.
    Archived,
}

/// A workflow's small row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkflowRecord {
    /// The workflow.
    pub id: WorkflowId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is put away.
    pub archived: bool,
    /// The latest published version; 0 when there is none.
    pub latest_version: u32,
    /// The hash of that version's graph.
    pub latest_hash: Option<String>,
    /// Counts the changes of this row.
    pub revision: u64,
    /// Counts the saved drafts; names the draft's rows.
    pub draft: u64,
    /// The defaults of a start, as JSON text.
    pub run_setup: Option<String>,
    /// The name of the tool that it is offered as.
    #[serde(default)]
    pub tool: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl WorkflowRecord {
    /// Where it stands.
    pub fn status(&self) -> WorkflowStatus {
        match (self.archived, self.latest_version) {
            (true, _) => WorkflowStatus::Archived,
            (false, 0) => WorkflowStatus::Draft,
            (false, _) => WorkflowStatus::Published,
        }
    }
}

/// A change of the draft graph that goes with a change of the row.
#[derive(Debug)]
pub enum Draft<'a> {
    /// As it is.
    Kept,
    /// This one instead.
    Replaced(&'a Value),
}

/// A published version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// Counted from 1.
    pub version: u32,
    /// When it was published.
    pub published_at: Timestamp,
    /// What changed, in the author's words.
    pub changelog: String,
    /// The graph's hash.
    pub graph_hash: String,
    /// The defaults of a start as they were saved at that time, as JSON text.
    #[serde(default)]
    pub run_setup: Option<String>,
}

/// A version to be published.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// Its row.
    pub version: &'a Version,
    /// Its graph.
    pub graph: &'a Value,
    /// The tool that the workflow is offered as, as this version makes it.
    pub tool: Option<&'a WorkflowToolRecord>,
}

impl Store {
    /// The small rows of workflows; those that are not there are left out.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn workflows(
        &self,
        wanted: &BTreeSet<(Place, WorkflowId)>,
    ) -> Result<HashMap<WorkflowId, WorkflowRecord>, StoreError> {
        let keys: Vec<Item> =
            wanted.iter().map(|(place, id)| keys::workflow(place, *id).into_map()).collect();
        let mut records = HashMap::new();
        for keys in keys.chunks(MOST_OF_A_BATCH) {
            for item in self.get_batch(keys.to_vec()).await? {
                let record: WorkflowRecord =
                    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))?;
                records.insert(record.id, record);
            }
        }
        Ok(records)
    }

    /// Keeps a new workflow with its draft, and the tool that it is offered as.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this id, or the tool's name is in use.
    pub async fn create_workflow(
        &self,
        record: &WorkflowRecord,
        graph: &Value,
        tool: ToolChange<'_>,
        guard: QuotaGuard,
    ) -> Result<(), StoreError> {
        let row = with_key(keys::workflow(&record.place, record.id), record)?;
        let mut writes = vec![self.put_if(row, Some(&format!("attribute_not_exists({PK})")), [])?];
        writes.extend(self.tool_writes(&record.place, tool)?);
        writes.extend(self.graph_writes(record, &keys::draft(record.draft), graph)?);
        writes.extend(guard.writes());
        self.transact(writes).await
    }

    /// A workflow's small row.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn workflow(
        &self,
        place: &Place,
        id: WorkflowId,
    ) -> Result<Option<WorkflowRecord>, StoreError> {
        self.get(keys::workflow(place, id)).await?.map(record).transpose()
    }

    /// The draft graph that belongs to this row.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the draft was replaced since the row was read.
    pub async fn draft(&self, record: &WorkflowRecord) -> Result<Value, StoreError> {
        let pk = keys::workflow_graphs(&record.place, record.id);
        self.get_chunked(&pk, &keys::draft(record.draft)).await?.ok_or(StoreError::Conflict)
    }

    /// Replaces the row, and the draft and the tool with it. The revision and the draft's number are advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or the tool's name is in use.
    pub async fn save_workflow(
        &self,
        record: &mut WorkflowRecord,
        draft: Draft<'_>,
        tool: ToolChange<'_>,
    ) -> Result<(), StoreError> {
        let mut next = record.clone();
        next.revision += 1;
        let mut writes = self.tool_writes(&record.place, tool)?;
        if let Draft::Replaced(graph) = draft {
            next.draft += 1;
            writes.extend(self.graph_writes(&next, &keys::draft(next.draft), graph)?);
            writes.extend(self.draft_deletes(record).await?);
        }
        writes.insert(0, self.replace_row(record, &next)?);
        self.transact(writes).await?;
        *record = next;
        Ok(())
    }

    /// Publishes: keeps the version and its graph, and advances the row to it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn publish(&self, record: &mut WorkflowRecord, new: &NewVersion<'_>) -> Result<(), StoreError> {
        let mut next = record.clone();
        next.revision += 1;
        next.latest_version = new.version.version;
        next.latest_hash = Some(new.version.graph_hash.clone());
        next.updated_at = new.version.published_at;
        let pk = keys::workflow_graphs(&record.place, record.id);
        let key = keys::Key { pk, sk: keys::version(new.version.version) };
        let not_there = format!("attribute_not_exists({PK})");
        let mut writes = vec![
            self.replace_row(record, &next)?,
            self.put_if(with_key(key, new.version)?, Some(&not_there), [])?,
        ];
        if let Some(tool) = new.tool {
            writes.extend(self.tool_writes(&record.place, ToolChange::Put(tool, None))?);
        }
        writes.extend(self.graph_writes(record, &keys::version_graph(new.version.version), new.graph)?);
        self.transact(writes).await?;
        *record = next;
        Ok(())
    }

    /// A published version.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn version(
        &self,
        place: &Place,
        id: WorkflowId,
        number: u32,
    ) -> Result<Option<Version>, StoreError> {
        let key = keys::Key { pk: keys::workflow_graphs(place, id), sk: keys::version(number) };
        self.get(key).await?.map(version).transpose()
    }

    /// A published version's graph.
    ///
    /// # Errors
    /// When the database does not answer or rows are damaged.
    pub async fn version_graph(
        &self,
        place: &Place,
        id: WorkflowId,
        number: u32,
    ) -> Result<Option<Value>, StoreError> {
        self.get_chunked(&keys::workflow_graphs(place, id), &keys::version_graph(number)).await
    }

    /// Versions, newest first, below `before`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_versions(
        &self,
        place: &Place,
        id: WorkflowId,
        limit: usize,
        before: Option<u32>,
    ) -> Result<Vec<Version>, StoreError> {
        let highest = before.map_or(u32::MAX, |number| number.saturating_sub(1));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("{PK} = :pk AND {SK} BETWEEN :low AND :high"))
            .expression_attribute_values(":pk", s(keys::workflow_graphs(place, id)))
            .expression_attribute_values(":low", s(keys::VERSION))
            .expression_attribute_values(":high", s(keys::version(highest)))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        self.send(query).await?.items.unwrap_or_default().into_iter().map(version).collect()
    }

    /// Workflows, newest first, after `cursor`; looks at a bounded number of rows, so that with a rare filter
    /// there may be fewer than `limit` and still more to come.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_workflows(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<WorkflowId>,
        keep: impl Fn(&WorkflowRecord) -> bool,
    ) -> Result<Listed<WorkflowRecord>, StoreError> {
        let rows = self.client.query().key_condition_expression(format!("{PK} = :pk"));
        let rows = rows.expression_attribute_values(":pk", s(keys::workflows_of(place)));
        let key = |id: &WorkflowId| keys::workflow(place, *id);
        let read = |item| record(item).map(|row| (row.id, row));
        self.walk(rows, Walk::new(limit, cursor, keep), key, read).await
    }

    fn replace_row(
        &self,
        old: &WorkflowRecord,
        new: &WorkflowRecord,
    ) -> Result<TransactWriteItem, StoreError> {
        let row = with_key(keys::workflow(&new.place, new.id), new)?;
        self.put_if(row, Some("revision = :revision"), [(":revision", n(old.revision))])
    }

    fn graph_writes(
        &self,
        record: &WorkflowRecord,
        prefix: &str,
        graph: &Value,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let pk = keys::workflow_graphs(&record.place, record.id);
        let chunks = item::chunks(&pk, prefix, &blob::encode(graph)?);
        chunks.into_iter().map(|chunk| self.put_of(chunk)).collect()
    }

    async fn draft_deletes(&self, record: &WorkflowRecord) -> Result<Vec<TransactWriteItem>, StoreError> {
        let pk = keys::workflow_graphs(&record.place, record.id);
        let old = self.get_all(&pk, &format!("{}#", keys::draft(record.draft))).await?;
        let delete = |item: &Item| {
            let key = keys::Key { pk: pk.clone(), sk: item::text(item, SK)?.to_owned() };
            self.delete_of(key)
        };
        old.iter().map(delete).collect()
    }
}

pub(super) fn record(item: Item) -> Result<WorkflowRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}

fn version(item: Item) -> Result<Version, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
