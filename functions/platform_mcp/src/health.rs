//! `ar_health_summary`: the service, the latest runs and what waits for people, in one look. It reads the routes
//! that anybody could read one by one, with the same permission.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::api::CanRead;

use crate::tools::effect::Effect;
use crate::tools::own::{Context, Nothing, Outcome, Own, nothing};

/// The tool.
pub const TOOL: Own = Own {
    name: "ar_health_summary",
    title: "How things are",
    description: DESCRIPTION,
    effect: Effect::READS,
    allows: CanRead::allows,
    input: nothing,
    output,
    run: |context, given| Box::pin(read(context, given)),
};

const DESCRIPTION: &str = "Tells how things are in one look: whether the service answers, in which state the \
    latest 100 runs of the workspace are, which of them failed last and why, and how many decisions wait for people.";

const LATEST: usize = 100;
const MOST_FAILURES: usize = 5;

/// What the tool answers.
fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "type": "string", "description": "ok when the service answers." },
            "version": { "type": "string", "description": "Of the service." },
            "runs": {
                "type": "object",
                "description": "The latest runs of the workspace.",
                "properties": {
                    "looked_at": { "type": "integer", "description": "How many; there may be more when it is 100." },
                    "by_status": { "type": "object", "additionalProperties": { "type": "integer" } },
                    "last_failures": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "run_id": { "type": "string" },
                                "workflow_id": { "type": "string" },
                                "failure_code": { "type": ["string", "null"] },
                                "ended_at": { "type": ["string", "null"] }
                            },
                            "required": ["run_id", "workflow_id"]
                        }
                    }
                },
                "required": ["looked_at", "by_status", "last_failures"]
            },
            "pending_tasks": {
                "type": "object",
                "description": "What waits for people.",
                "properties": {
                    "count": { "type": "integer" },
                    "more": { "type": "boolean", "description": "Whether there are more than counted." }
                },
                "required": ["count", "more"]
            }
        },
        "required": ["status", "version", "runs", "pending_tasks"]
    })
}

/// Looks at the routes.
async fn read(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let Nothing {} = context.arguments(given)?;
    let health = context.get("/v1/health").await?;
    let runs = context.get(&format!("/v1/runs?limit={LATEST}")).await?;
    let tasks = context.get(&format!("/v1/tasks/pending?limit={LATEST}")).await?;
    let runs = runs["runs"].as_array().cloned().unwrap_or_default();
    let mut by_status: BTreeMap<String, usize> = BTreeMap::new();
    for run in &runs {
        *by_status.entry(run["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let failure = |run: &Value| {
        json!({ "run_id": run["run_id"], "workflow_id": run["workflow_id"],
                "failure_code": run["failure_code"], "ended_at": run["ended_at"] })
    };
    let failed = runs.iter().filter(|run| run["status"] == "failed").take(MOST_FAILURES);
    Ok(json!({
        "status": health["status"],
        "version": health["version"],
        "runs": {
            "looked_at": runs.len(),
            "by_status": by_status,
            "last_failures": failed.map(failure).collect::<Vec<_>>(),
        },
        "pending_tasks": {
            "count": tasks["tasks"].as_array().map_or(0, Vec::len),
            "more": tasks.get("next_cursor").is_some(),
        },
    }))
}
