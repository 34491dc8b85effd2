//! Human tasks as callers see them.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use store::{TaskRecord, WorkflowRecord};
use types::clock::Timestamp;
use types::ids::{RunId, WorkflowId};

/// An open human task.
#[derive(Debug, Serialize, ToSchema)]
pub struct Task {
    /// The step's id; for the review of a failed item the loop's id with the item, such as `each:3`.
    id: String,
    /// The run that waits.
    #[schema(value_type = uuid::Uuid)]
    run_id: RunId,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// The workflow's name.
    workflow_name: String,
    /// Its project.
    project_id: String,
    /// The step that waits.
    step_id: String,
    /// The type that the author gave it; `item_review` for a failed item.
    task_type: String,
    /// What the person needs to see.
    #[schema(value_type = Object)]
    payload: Value,
    /// When it was put.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the answer is no longer waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl Task {
    /// Of this row, with its workflow's name from those that were read.
    pub(super) fn new(row: TaskRecord, workflows: &HashMap<WorkflowId, WorkflowRecord>) -> Self {
        Self {
            id: row.task_id,
            run_id: row.run.run_id,
            workflow_id: row.workflow_id,
            workflow_name: workflows
                .get(&row.workflow_id)
                .map(|record| record.name.clone())
                .unwrap_or_default(),
            project_id: row.run.place.project_id.to_string(),
            step_id: row.step_id,
            task_type: row.task_type,
            payload: row.payload,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}
