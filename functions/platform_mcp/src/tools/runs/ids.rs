//! The ids that tools take, and the run that is meant when its id is left out.

use serde_json::{Value, json};
use shared::Error;
use shared::types::error::ErrorCode;
use shared::types::error::Kind;
use shared::types::ids::{RunId, WorkflowId};

use super::super::own::Context;
use crate::api::Answer;

/// The description of an argument that is an id.
pub(super) fn id(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

/// The newest run of a workflow.
pub(super) async fn newest(context: Context<'_>, workflow: WorkflowId) -> Result<Option<RunId>, Answer> {
    let runs = context.get(&format!("/v1/workflows/{workflow}/runs?limit=1")).await?;
    Ok(runs["runs"][0]["run_id"].as_str().and_then(|id| id.parse().ok()))
}

/// The refusal when there is none.
pub(super) fn no_runs(context: &Context<'_>) -> Answer {
    let message = "The workflow has no run yet; workflow_run starts one.";
    context.refusal(&Error::new(Kind::NotFound, ErrorCode::NoRuns, message))
}
