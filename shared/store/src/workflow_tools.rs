//! Workflows that are offered as tools: a row per tool beside the workflows' rows. It keeps the tool's name for its
//! workflow, and what lists of tools show; a start reads none of it.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{Item, check_form, s};
use super::keys::{self, PK, SK};
use super::walk::Listed;
use super::{Store, StoreError};
use types::ids::{Place, WorkflowId};

/// A tool's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowToolRecord {
    /// The workflow behind it.
    pub workflow_id: WorkflowId,
    /// Its name, unique in the project.
    pub name: String,
    /// What it does, for a model.
    pub description: String,
    /// The JSON Schema of its arguments as its author gave it, as text.
    #[serde(default)]
    pub input_schema: Option<String>,
    /// What the graph of the latest version says of its input, as text.
    #[serde(default)]
    pub graph_schema: Option<String>,
}

/// A change of a workflow's tool that goes with a change of the workflow's row.
#[derive(Debug, Clone, Copy)]
pub enum ToolChange<'a> {
    /// As it is.
    Kept,
    /// This one, instead of the one of this name.
    Put(&'a WorkflowToolRecord, Option<&'a str>),
    /// None any more; it had this name.
    Removed(&'a str),
}

impl Store {
    /// A tool of a project; none when there is none of this name.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn workflow_tool(
        &self,
        place: &Place,
        name: &str,
    ) -> Result<Option<WorkflowToolRecord>, StoreError> {
        self.get(keys::workflow_tool(place, name)).await?.map(read).transpose()
    }

    /// A project's tools by name, from after `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_workflow_tools(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<WorkflowToolRecord>, StoreError> {
        let start = cursor.map(|name| keys::workflow_tool(place, &name).into_map());
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("{PK} = :pk"))
            .expression_attribute_values(":pk", s(keys::workflow_tools_of(place)))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = self.send(query).await?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| key.get(SK)?.as_s().ok().cloned());
        let rows = page.items.unwrap_or_default().into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Listed { rows, next })
    }

    /// The writes of a change. A name is free, or its workflow's already: the condition keeps it for one of two that
    /// want it at the same time.
    pub(super) fn tool_writes(
        &self,
        place: &Place,
        change: ToolChange<'_>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let gone = |name: &str| self.delete_of(keys::workflow_tool(place, name));
        match change {
            ToolChange::Kept => Ok(Vec::new()),
            ToolChange::Removed(name) => Ok(vec![gone(name)?]),
            ToolChange::Put(tool, before) => {
                let row = with_key(keys::workflow_tool(place, &tool.name), tool)?;
                let condition = format!("attribute_not_exists({PK}) OR workflow_id = :workflow");
                let own = [(":workflow", s(tool.workflow_id.to_string()))];
                let mut writes = vec![self.put_if(row, Some(&condition), own)?];
                if let Some(before) = before.filter(|before| *before != tool.name) {
                    writes.push(gone(before)?);
                }
                Ok(writes)
            }
        }
    }
}

fn read(item: Item) -> Result<WorkflowToolRecord, StoreError> {
    check_form(&item)?;
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
