//! Workflows as tools: each published workflow that its owner offers (`expose_as_tool`) is listed and called like the
//! platform's own tools, after those and a page at a time.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool};
use serde_json::{Map, Value, json};
use shared::api::{CanRead, CanRun};
use shared::services::auth::Caller;
use shared::types::ids::WorkflowId;
use shared::workflow::tool::{RESERVED_TOOL_PREFIXES, is_tool_name};

use super::own::Context;
use super::runs::{MAX_WAIT_S, start};
use super::{Effect, schema};
use crate::api::Answer;

/// How many a page of the list has: their schemas may be 16 KiB each.
const PAGE: usize = 50;

/// Whether a caller may use them: they are found by reading and called by running.
pub fn allows(caller: &Caller) -> bool {
    CanRead::allows(caller) && CanRun::allows(caller)
}

/// Tools of a page, and where the next one begins; the first is after none.
///
/// # Errors
/// What the route refused.
pub async fn page(context: Context<'_>, cursor: Option<&str>) -> Result<(Vec<Tool>, Option<String>), Answer> {
    let after = cursor.map(|cursor| format!("&cursor={}", crate::api::encoded(cursor))).unwrap_or_default();
    let listed = context.get(&format!("/v1/workflows/tools?limit={PAGE}{after}")).await?;
    let tools = listed["tools"].as_array().into_iter().flatten().map(tool).collect();
    Ok((tools, listed["next_cursor"].as_str().map(str::to_owned)))
}

fn tool(listed: &Value) -> Tool {
    let text = |name: &str| listed[name].as_str().unwrap_or_default().to_owned();
    Tool::new(text("name"), text("description"), schema(&listed["input_schema"]))
        .with_title(text("workflow_name"))
        .with_raw_output_schema(Arc::clone(&OUTPUT))
        .with_annotations(Effect::ACTS.annotations())
}

static OUTPUT: std::sync::LazyLock<Arc<JsonObject>> =
    std::sync::LazyLock::new(|| schema(&super::runs::output()));

/// The workflow that is offered under this name; none when there is none.
///
/// # Errors
/// What the route refused.
pub async fn find(context: Context<'_>, name: &str) -> Result<Option<WorkflowId>, Answer> {
    // No workflow has such a name, so nobody is asked.
    if !is_tool_name(name) || RESERVED_TOOL_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Ok(None);
    }
    let found = context.get(&format!("/v1/workflows/tools?name={name}")).await?;
    Ok(found["tools"][0]["workflow_id"].as_str().and_then(|id| id.parse().ok()))
}

/// What a run came to.
#[derive(Debug)]
pub enum Called {
    /// It has completed, or goes on.
    Report(Value),
    /// It has failed or was stopped: what a client reads of that.
    Failed(Value),
}

/// Starts a run with these arguments as its input and waits for it as long as a call may take.
///
/// # Errors
/// What a route refused.
pub async fn call(
    context: Context<'_>,
    workflow: WorkflowId,
    arguments: Map<String, Value>,
) -> Result<Called, Answer> {
    let params = Map::from_iter([("trigger_payload".to_owned(), Value::Object(arguments))]);
    let report = start(context, workflow, params, Some(MAX_WAIT_S)).await?;
    let code = match report["status"].as_str() {
        Some("failed") => report["failure_code"].as_str().unwrap_or("RUN_FAILED").to_owned(),
        Some("stopped") => "RUN_STOPPED".to_owned(),
        _ => return Ok(Called::Report(report)),
    };
    let error =
        report["error"].as_str().unwrap_or("The run did not complete; workflow_inspect shows its steps.");
    Ok(Called::Failed(json!({
        "error": error, "code": code, "run_id": report["run_id"], "workflow_id": report["workflow_id"],
        "failed_step_id": report["failed_step_id"],
    })))
}
