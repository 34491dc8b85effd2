//! Where a run stands, as the tools tell it: in short, with what somebody has to do next.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::own::{Context, Outcome};
use crate::api::Answer;

/// What is taken over from a run's summary.
const OF_SUMMARY: [&str; 11] = [
    "run_id",
    "workflow_id",
    "version",
    "status",
    "orchestration_phase",
    "run_complete",
    "failure_code",
    "failed_step_id",
    "error",
    "pending_tasks",
    "started_at",
];

/// What the tools answer.
pub fn output() -> Value {
    let text = json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "properties": {
            "run_id": { "type": "string" },
            "workflow_id": { "type": "string" },
            "version": { "type": "integer", "description": "The version that is executed." },
            "status": { "type": "string", "description": "pending, running, paused, draining, completed, failed, stopped." },
            "orchestration_phase": { "type": "string" },
            "run_complete": { "type": "boolean", "description": "Whether the run is over." },
            "failure_code": text, "failed_step_id": text, "error": text,
            "started_at": { "type": "string" },
            "ended_at": text,
            "outputs": { "type": ["object", "null"],
                         "description": "When it has completed: the results of the steps that nothing depends on, by id." },
            "steps": { "type": "array", "items": { "type": "object" },
                       "description": "Each step with its status, attempt and error." },
            "pending_tasks": { "type": "integer", "description": "How many decisions wait for people." },
            "tasks": { "type": "array", "items": { "type": "object" },
                       "description": "Those decisions, with what the person needs to see." },
            "next": { "type": "string", "description": "What to do next." }
        },
        "required": ["run_id", "workflow_id", "status", "run_complete", "next"]
    })
}

/// Where the run at this path stands, by its summary; with its steps if they are asked for.
///
/// # Errors
/// What a route refused.
pub async fn report(context: Context<'_>, path: &str, mut summary: Value, with_steps: bool) -> Outcome {
    let mut report = Map::new();
    for name in OF_SUMMARY {
        if let Some(value) = summary.get_mut(name) {
            report.insert(name.to_owned(), value.take());
        }
    }
    let is_completed = report.get("status").is_some_and(|status| status == "completed");
    if with_steps || is_completed {
        let mut run = context.get(path).await?;
        let wanted: &[&str] =
            if with_steps { &["steps", "outputs", "ended_at"] } else { &["outputs", "ended_at"] };
        for name in wanted {
            if let Some(value) = run.get_mut(*name) {
                report.insert((*name).to_owned(), value.take());
            }
        }
    }
    if report.get("pending_tasks").and_then(Value::as_u64).is_some_and(|count| count > 0) {
        match context.get(&format!("{path}/tasks/pending")).await {
            Ok(mut tasks) => {
                let tasks = tasks.get_mut("tasks").map(Value::take).unwrap_or_default();
                report.insert("tasks".to_owned(), tasks);
            }
            // A viewer may know how many there are, and not what they ask.
            Err(refused) if refused.status == StatusCode::FORBIDDEN => {}
            Err(refused) => return Err(refused),
        }
    }
    report.insert("next".to_owned(), next(&report).into());
    Ok(Value::Object(report))
}

fn next(report: &Map<String, Value>) -> &'static str {
    let text = |name: &str| report.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("status"), text("orchestration_phase")) {
        ("completed", _) => "The run is over; outputs has its results.",
        ("failed", _) => {
            "Mend what error names (workflow_inspect shows the steps), then start again with \
            params.resume_from_run_id, or from the beginning."
        }
        ("stopped", _) => "The run was stopped; nothing more happens.",
        (_, "awaiting_human") => "Show the person what tasks asks and answer with workflow_approve.",
        (_, "paused") => "Let it go on with workflows_execute_command, command = resume.",
        _ => "The run goes on by itself; call workflow_await with its run_id.",
    }
}

/// What a start answered, when nobody waits.
pub fn started(mut started: Value) -> Value {
    if let Some(report) = started.as_object_mut() {
        let status = report.get("status").and_then(Value::as_str).unwrap_or_default();
        let is_over = ["completed", "failed", "stopped"].contains(&status);
        report.insert("run_complete".to_owned(), is_over.into());
        let next = next(report);
        report.insert("next".to_owned(), next.into());
    }
    started
}

/// What a start answered, when the run could not be looked at afterwards.
pub fn unread(started: Value, why: &Answer) -> Value {
    let mut report = self::started(started);
    if report["run_complete"] == false {
        let why = why.body["error"].as_str().unwrap_or("it could not be read");
        report["next"] =
            format!("The run was started and goes on by itself, but could not be followed: {why}").into();
    }
    report
}
