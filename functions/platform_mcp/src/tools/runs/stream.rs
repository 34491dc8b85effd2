//! `workflows_stream_websocket`: a bounded read of a run's events as they come. The name is that of the hosted product's
//! tool; until the live stream exists it is a long poll of the events, with the same bounds.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::api::CanRead;
use shared::types::ids::{RunId, WorkflowId};

use super::super::Effect;
use super::super::own::{Context, Outcome, Own};
use super::ids::{id, newest, no_runs};
use super::wait::{MAX_WAIT_S, seconds_until};
use crate::api::Answer;

const DURATION_S: u64 = 10;
const MESSAGES: usize = 100;
const MAX_MESSAGES: usize = 500;
const BYTES: usize = 256 * 1024;
const MIN_BYTES: usize = 1024;
const MAX_BYTES: usize = 1024 * 1024;

/// The tool.
pub const TOOL: Own = Own {
    name: "workflows_stream_websocket",
    title: "Read live events",
    description: "Reads a run's events as they happen, oldest first, until duration_s is up, max_messages or max_bytes is \
        reached, or the run is over; stopped_by says which. Go on with after from the answer: nothing is missed and nothing \
        comes twice. Without run_id it reads the workflow's newest run.",
    effect: Effect::READS,
    allows: CanRead::allows,
    input,
    output,
    run: |context, given| Box::pin(stream(context, given)),
};

fn input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workflow_id": id("The workflow's id."),
            "run_id": id("The run's id; the workflow's newest run when left out."),
            "after": { "type": "integer", "minimum": 0, "description":
                "Only events with a greater seq; all from the beginning when left out." },
            "duration_s": { "type": "integer", "minimum": 1, "maximum": MAX_WAIT_S, "default": DURATION_S,
                            "description": "How long to read, in seconds." },
            "max_messages": { "type": "integer", "minimum": 1, "maximum": MAX_MESSAGES, "default": MESSAGES,
                              "description": "How many events at most." },
            "max_bytes": { "type": "integer", "minimum": MIN_BYTES, "maximum": MAX_BYTES, "default": BYTES,
                           "description": "How many bytes of events as JSON at most; the first event always comes." }
        },
        "required": ["workflow_id"],
        "additionalProperties": false
    })
}

fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workflow_id": { "type": "string" },
            "run_id": { "type": "string" },
            "messages": { "type": "array", "items": { "type": "object" }, "description": "The events." },
            "message_count": { "type": "integer" },
            "bytes": { "type": "integer", "description": "Of the events as JSON." },
            "stopped_by": { "type": "string", "enum": ["duration", "max_messages", "max_bytes", "run_over"] },
            "after": { "type": "integer", "description": "Where to go on." }
        },
        "required": ["workflow_id", "run_id", "messages", "message_count", "bytes", "stopped_by", "after"]
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    workflow_id: WorkflowId,
    run_id: Option<RunId>,
    after: Option<u64>,
    duration_s: Option<u64>,
    max_messages: Option<usize>,
    max_bytes: Option<usize>,
}

/// What has been read.
struct Read {
    messages: Vec<Value>,
    bytes: usize,
    after: u64,
}

async fn stream(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let arguments: Arguments = context.arguments(given)?;
    let duration =
        within(&context, "duration_s", arguments.duration_s.unwrap_or(DURATION_S), (1, MAX_WAIT_S))?;
    let messages =
        within(&context, "max_messages", arguments.max_messages.unwrap_or(MESSAGES), (1, MAX_MESSAGES))?;
    let bytes = within(&context, "max_bytes", arguments.max_bytes.unwrap_or(BYTES), (MIN_BYTES, MAX_BYTES))?;
    let until = Instant::now() + Duration::from_secs(duration);
    let workflow = arguments.workflow_id;
    let run = match arguments.run_id {
        Some(run) => run,
        None => newest(context, workflow).await?.ok_or_else(|| no_runs(&context))?,
    };
    let path = format!("/v1/workflows/{workflow}/runs/{run}");
    let mut read = Read { messages: Vec::new(), bytes: 0, after: arguments.after.unwrap_or(0) };
    let stopped_by = follow(context, &path, until, (messages, bytes), &mut read).await?;
    Ok(json!({
        "workflow_id": workflow, "run_id": run, "message_count": read.messages.len(), "bytes": read.bytes,
        "messages": read.messages, "stopped_by": stopped_by, "after": read.after,
    }))
}

/// Reads until a bound is met; says which.
async fn follow(
    context: Context<'_>,
    path: &str,
    until: Instant,
    (max_messages, max_bytes): (usize, usize),
    read: &mut Read,
) -> Result<&'static str, Answer> {
    loop {
        let limit = (max_messages - read.messages.len()).min(100);
        let left = seconds_until(until);
        let target = format!("{path}/events?after={}&limit={limit}&wait_s={left}", read.after);
        let mut page = context.get(&target).await?;
        let events =
            page.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let is_empty = events.is_empty();
        for event in events {
            let size = event.to_string().len();
            if read.bytes + size > max_bytes && !read.messages.is_empty() {
                return Ok("max_bytes");
            }
            read.bytes += size;
            read.after = event["seq"].as_u64().unwrap_or(read.after);
            read.messages.push(event);
        }
        if read.messages.len() >= max_messages {
            return Ok("max_messages");
        }
        // What ended the wait, when nothing came.
        if is_empty && context.get(&format!("{path}/summary")).await?["run_complete"] == true {
            return Ok("run_over");
        }
        if left == 0 {
            return Ok("duration");
        }
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    context: &Context<'_>,
    name: &str,
    value: T,
    (least, most): (T, T),
) -> Result<T, Answer> {
    match value >= least && value <= most {
        true => Ok(value),
        false => Err(context.invalid(format!("{name}: must be {least} to {most}."))),
    }
}
