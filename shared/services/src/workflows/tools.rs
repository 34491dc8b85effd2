//! The tools that workflows are offered as.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::state::AppState;
use platform::boxed;
use store::{Listed, StoreError, WorkflowRecord, WorkflowStatus, WorkflowToolRecord};
use types::error::ErrorCode;
use types::ids::{Place, WorkflowId};
use types::{Error, Result};
use workflow::tool::{ExposedTool, as_tool_schema, is_tool_name};

/// A published workflow that is offered as a tool.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowTool {
    /// The tool's name.
    #[schema(example = "triage_order")]
    name: String,
    /// What it does, for a model.
    description: String,
    /// The JSON Schema of its arguments.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// The workflow that a call starts a run of.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// The workflow's name.
    workflow_name: String,
    /// The version that a call executes.
    version: u32,
}

/// The published workflows that are offered as tools, by the tool's name; only the tool of this name when one is
/// given. A page may have fewer than asked for.
///
/// # Errors
/// When the database does not answer.
#[boxed]
pub async fn list_tools(
    state: &AppState,
    place: &Place,
    name: Option<&str>,
    limit: usize,
    after: Option<String>,
) -> Result<Listed<WorkflowTool>> {
    let (rows, next) = match name {
        None => {
            let listed = state.store.list_workflow_tools(place, limit, after).await?;
            (listed.rows, listed.next)
        }
        // Nothing else is ever kept as a key.
        Some(name) if is_tool_name(name) => {
            (state.store.workflow_tool(place, name).await?.into_iter().collect(), None)
        }
        Some(_) => (Vec::new(), None),
    };
    let wanted: BTreeSet<_> = rows.iter().map(|row| (place.clone(), row.workflow_id)).collect();
    let workflows = state.store.workflows(&wanted).await?;
    let tool = |row: WorkflowToolRecord| {
        let workflow = workflows.get(&row.workflow_id)?;
        (workflow.status() == WorkflowStatus::Published).then(|| shown(row, workflow))
    };
    Ok(Listed { rows: rows.into_iter().filter_map(tool).collect(), next })
}

fn shown(row: WorkflowToolRecord, workflow: &WorkflowRecord) -> WorkflowTool {
    let schema = row.input_schema.or(row.graph_schema).and_then(|text| serde_json::from_str(&text).ok());
    WorkflowTool {
        name: row.name,
        description: row.description,
        input_schema: as_tool_schema(schema),
        workflow_id: workflow.id,
        workflow_name: workflow.name.clone(),
        version: workflow.latest_version,
    }
}

/// The row of a tool that a workflow is to be offered as; `graph_schema` is what its published graph says of its input.
///
/// # Errors
/// Invalid, naming the field; conflict when another workflow has the name.
pub(crate) async fn row(
    state: &AppState,
    place: &Place,
    workflow_id: WorkflowId,
    tool: &ExposedTool,
    graph_schema: Option<Value>,
) -> Result<WorkflowToolRecord> {
    ensure_free(state, place, workflow_id, &tool.name).await?;
    Ok(WorkflowToolRecord {
        workflow_id,
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.as_ref().map(Value::to_string),
        graph_schema: graph_schema.map(|schema| schema.to_string()),
    })
}

/// Refuses a name that another workflow has.
///
/// # Errors
/// Conflict when it does.
pub(crate) async fn ensure_free(state: &AppState, place: &Place, id: WorkflowId, name: &str) -> Result<()> {
    match state.store.workflow_tool(place, name).await? {
        Some(other) if other.workflow_id != id => {
            let message = format!(
                "expose_as_tool.name: the workflow {} is offered as {name:?} already; use another name.",
                other.workflow_id
            );
            Err(Error::conflict(ErrorCode::ToolNameInUse, message))
        }
        _ => Ok(()),
    }
}

/// The tool that a workflow is offered as, as its owner gave it.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn exposed(state: &AppState, record: &WorkflowRecord) -> Result<Option<ExposedTool>> {
    Ok(tool_row(state, record).await?.map(|row| ExposedTool {
        name: row.name,
        description: row.description,
        input_schema: row.input_schema.and_then(|text| serde_json::from_str(&text).ok()),
    }))
}

/// The row of that tool.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn tool_row(
    state: &AppState,
    record: &WorkflowRecord,
) -> Result<Option<WorkflowToolRecord>, StoreError> {
    match &record.tool {
        Some(name) => state.store.workflow_tool(&record.place, name).await,
        None => Ok(None),
    }
}
