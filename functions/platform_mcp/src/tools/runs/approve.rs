//! `workflow_approve`: a person's answer to what a run waits for.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::Error;
use shared::api::CanRun;
use shared::types::error::ErrorCode;
use shared::types::ids::{RunId, WorkflowId};

use super::super::Effect;
use super::super::own::{Context, Outcome, Own};
use super::ids::id;
use crate::api::{Answer, segment};

/// The tool.
pub const TOOL: Own = Own {
    name: "workflow_approve",
    title: "Answer what a run waits for",
    description: "Answers the decision that a run waits for: approved true or false, with what the person said. The run \
        goes on from there, and the answer is final. It is a person's decision: show them the task that workflow_inspect \
        gives and ask first. task_id may be left out when exactly one task is open. Go on with workflow_await.",
    effect: Effect::ACTS,
    allows: CanRun::allows,
    input,
    output,
    run: |context, given| Box::pin(approve(context, given)),
};

fn input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workflow_id": id("The workflow's id."),
            "run_id": id("The run that waits."),
            "task_id": { "type": "string", "description":
                "The task's id, as workflow_inspect gives it; left out when the run waits for one decision only." },
            "approved": { "type": "boolean", "default": true, "description": "Whether the person approves." },
            "result": { "type": "object", "description": "Fields that later steps read beside approved." },
            "notes": { "type": "string", "description": "What the person said." }
        },
        "required": ["workflow_id", "run_id"],
        "additionalProperties": false
    })
}

fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "type": "string", "description": "completed." },
            "task_id": { "type": "string" },
            "approved": { "type": "boolean" }
        },
        "required": ["status", "task_id", "approved"]
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    workflow_id: WorkflowId,
    run_id: RunId,
    task_id: Option<String>,
    approved: Option<bool>,
    result: Option<Map<String, Value>>,
    notes: Option<String>,
}

async fn approve(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let arguments: Arguments = context.arguments(given)?;
    let run = format!("/v1/workflows/{}/runs/{}", arguments.workflow_id, arguments.run_id);
    let task = match arguments.task_id {
        Some(task) => task,
        None => only_task(context, &run).await?,
    };
    let task = segment("task_id", &task).map_err(|error| context.refusal(&error))?;
    let mut answer = Map::from_iter([("approved".to_owned(), arguments.approved.unwrap_or(true).into())]);
    if let Some(result) = arguments.result {
        answer.insert("result".to_owned(), Value::Object(result));
    }
    if let Some(notes) = arguments.notes {
        answer.insert("notes".to_owned(), notes.into());
    }
    context.post(format!("{run}/tasks/{task}/complete"), HeaderMap::new(), Value::Object(answer)).await
}

/// The one task that a run waits for.
async fn only_task(context: Context<'_>, run: &str) -> Result<String, Answer> {
    let open = context.get(&format!("{run}/tasks/pending")).await?;
    let ids = open["tasks"].as_array().into_iter().flatten().filter_map(|task| task["id"].as_str());
    let ids: Vec<&str> = ids.collect();
    match ids.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => {
            let message = "The run waits for nobody's decision; workflow_inspect shows where it stands.";
            Err(context.refusal(&Error::conflict(ErrorCode::NoOpenTask, message)))
        }
        _ => {
            let message =
                format!("task_id: the run waits for several decisions; name one of {}.", ids.join(", "));
            Err(context.refusal(&Error::conflict(ErrorCode::SeveralOpenTasks, message)))
        }
    }
}
