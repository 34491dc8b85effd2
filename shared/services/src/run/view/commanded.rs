//! What came of a command.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use engine::{Run, RunStatus};
use types::clock::Timestamp;
use types::ids::{RunId, WorkflowId};
use types::json_text::JsonText;

/// A run that a command was given to.
#[derive(Debug, Serialize, ToSchema)]
// It says so in the document, where it is told from a run that was started.
#[serde(deny_unknown_fields)]
pub struct RunControlled {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub run_id: RunId,
    /// Where it stands now.
    pub status: RunStatus,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    pub workflow_id: WorkflowId,
}

/// A run that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunStarted {
    /// The run.
    #[schema(value_type = uuid::Uuid)]
    pub run_id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    pub workflow_id: WorkflowId,
    /// The version it executes.
    pub version: u32,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// With `Prefer: wait`, when the run is over: the results of the steps that nothing depends on, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outputs: Option<BTreeMap<String, JsonText>>,
}

impl RunControlled {
    /// Where this run stands.
    pub(in crate::run) fn new(run: &Run) -> Self {
        Self { run_id: run.key.run_id, status: run.status, workflow_id: run.workflow_id }
    }
}
