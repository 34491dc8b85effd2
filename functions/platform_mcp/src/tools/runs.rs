//! Tools that follow a run: start it, wait for it, look at it, answer what it waits for, read its events as they come.

mod approve;
mod ids;
mod report;
mod stream;
mod wait;

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::api::{CanRead, CanRun};
use shared::types::ids::{RunId, WorkflowId};

use super::Effect;
use super::own::{Context, Outcome, Own};
use ids::{id, newest, no_runs};
pub use report::output;
use report::report;
pub use wait::MAX_WAIT_S;
use wait::{checked_wait, seconds_until, wait_s};

/// How long one request waits: so soon is it noticed that a run waits for a person.
const SLICE_S: u64 = 2;

/// The tools.
pub const TOOLS: &[Own] = &[
    Own {
        name: "workflow_run",
        title: "Run a workflow",
        description: "Starts a run of a workflow's latest published version and, unless wait is false, follows it until \
            it is over, waits for a person or wait_s is up. Answers where the run stands, its outputs when it has \
            completed, what failed when it has not, and the tasks that wait for a person. If it is still under way go on \
            with workflow_await. Validate a new or changed graph first. To be able to repeat a start, give params.run_id.",
        effect: Effect::ACTS,
        allows: CanRun::allows,
        input: run_input,
        output: report::output,
        run: |context, given| Box::pin(run(context, given)),
    },
    Own {
        name: "workflow_await",
        title: "Wait for a run",
        description: "Follows a run that is under way until it is over, is paused, waits for a person or wait_s is up, \
            and answers like workflow_run. Call it again while run_complete is false and nothing waits for a person.",
        effect: Effect::READS,
        allows: CanRead::allows,
        input: await_input,
        output: report::output,
        run: |context, given| Box::pin(wait_for(context, given)),
    },
    Own {
        name: "workflow_inspect",
        title: "Look at a run",
        description: "Tells at once where a run stands, with every step's status and error, its outputs when it has \
            completed, and the tasks that wait for a person with what they are asked. Without run_id the workflow's \
            newest run. Use it to find out what failed, and before workflow_approve.",
        effect: Effect::READS,
        allows: CanRead::allows,
        input: inspect_input,
        output: report::output,
        run: |context, given| Box::pin(inspect(context, given)),
    },
    approve::TOOL,
    stream::TOOL,
];

fn run_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workflow_id": id("The workflow's id, as workflows_list and workflows_create give it."),
            "trigger_payload": { "type": "object", "description": "The run's input, {{input.*}}." },
            "params": { "type": "object", "description":
                "The start's params, as workflows_execute_command takes them: the input under trigger_payload or as these \
                 keys themselves; run_id, version, trigger_steps, excluded_step_ids, use_run_setup_defaults, \
                 external_user_id, resume_from_run_id with from_step_id." },
            "wait": { "type": "boolean", "default": true, "description": "Whether to wait for the run's end." },
            "wait_s": wait_s("How long to wait, in seconds; 20 when left out.")
        },
        "required": ["workflow_id"],
        "additionalProperties": false
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunArguments {
    workflow_id: WorkflowId,
    trigger_payload: Option<Map<String, Value>>,
    #[serde(default)]
    params: Map<String, Value>,
    wait: Option<bool>,
    wait_s: Option<u64>,
}

async fn run(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let arguments: RunArguments = context.arguments(given)?;
    let wait_s = checked_wait(&context, arguments.wait_s)?;
    let mut params = arguments.params;
    if let Some(input) = arguments.trigger_payload {
        if params.contains_key("trigger_payload") {
            let message = "trigger_payload: stands in params too; give it once.".to_owned();
            return Err(context.invalid(message));
        }
        params.insert("trigger_payload".to_owned(), Value::Object(input));
    }
    let wait_s = arguments.wait.unwrap_or(true).then_some(wait_s);
    start(context, arguments.workflow_id, params, wait_s).await
}

/// Starts a run and, if asked to, follows it.
pub async fn start(
    context: Context<'_>,
    workflow: WorkflowId,
    mut params: Map<String, Value>,
    wait_s: Option<u64>,
) -> Outcome {
    params.entry("trigger_type").or_insert_with(|| "mcp".into());
    let until = Instant::now() + Duration::from_secs(wait_s.unwrap_or(0));
    let mut headers = HeaderMap::new();
    if let Some(seconds) = wait_s
        && let Ok(prefer) = HeaderValue::from_str(&format!("wait={}", seconds.min(SLICE_S)))
    {
        headers.insert("prefer", prefer);
    }
    let command = json!({ "command": "start", "params": params });
    let started = context.post(format!("/v1/workflows/{workflow}/command"), headers, command).await?;
    let run: Option<RunId> = started["run_id"].as_str().and_then(|id| id.parse().ok());
    let (Some(run), Some(_)) = (run, wait_s) else { return Ok(report::started(started)) };
    // The run is there, whatever comes of looking at it: its id is not lost to a token that may not read, nor to an API
    // that does not answer for a moment.
    match follow(context, workflow, run, until).await {
        Ok(report) => Ok(report),
        Err(unread) => Ok(report::unread(started, &unread)),
    }
}

/// Where a run stands when it is over, waits for somebody, or the time is up.
async fn follow(context: Context<'_>, workflow: WorkflowId, run: RunId, until: Instant) -> Outcome {
    let path = format!("/v1/workflows/{workflow}/runs/{run}");
    loop {
        let summary = context.get(&format!("{path}/summary")).await?;
        let left = seconds_until(until);
        if left == 0 || is_settled(&summary) {
            return report(context, &path, summary, false).await;
        }
        context.get(&format!("{path}?wait_s={}", left.min(SLICE_S))).await?;
    }
}

/// Whether nothing changes any more without somebody who does something.
fn is_settled(summary: &Value) -> bool {
    let phase = summary["orchestration_phase"].as_str().unwrap_or_default();
    summary["run_complete"] == true || ["awaiting_human", "paused"].contains(&phase)
}

fn await_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workflow_id": id("The workflow's id."),
            "run_id": id("The run's id, as workflow_run gives it."),
            "wait_s": wait_s("How long to wait, in seconds; 20 when left out.")
        },
        "required": ["workflow_id", "run_id"],
        "additionalProperties": false
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AwaitArguments {
    workflow_id: WorkflowId,
    run_id: RunId,
    wait_s: Option<u64>,
}

async fn wait_for(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let arguments: AwaitArguments = context.arguments(given)?;
    let wait_s = checked_wait(&context, arguments.wait_s)?;
    let until = Instant::now() + Duration::from_secs(wait_s);
    follow(context, arguments.workflow_id, arguments.run_id, until).await
}

fn inspect_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workflow_id": id("The workflow's id."),
            "run_id": id("The run's id; the workflow's newest run when left out.")
        },
        "required": ["workflow_id"],
        "additionalProperties": false
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InspectArguments {
    workflow_id: WorkflowId,
    run_id: Option<RunId>,
}

async fn inspect(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let InspectArguments { workflow_id, run_id } = context.arguments(given)?;
    let run = match run_id {
        Some(run) => run,
        None => newest(context, workflow_id).await?.ok_or_else(|| no_runs(&context))?,
    };
    let path = format!("/v1/workflows/{workflow_id}/runs/{run}");
    let summary = context.get(&format!("{path}/summary")).await?;
    report(context, &path, summary, true).await
}
