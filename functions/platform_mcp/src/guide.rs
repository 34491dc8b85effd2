//! `ar_get_started`: what a model needs to know before its first workflow.

use http::HeaderMap;
use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::tools::Entry;

/// Of the tool.
pub const DESCRIPTION: &str = "Explains what AgentRuntime is, how a workflow is built and run step by step with an \
    example, and which tools there are. Call it once, before anything else.";

const GUIDE: &str = "AgentRuntime runs workflows. A workflow is a graph of steps: lua_script (computes), llm_call \
    (asks a model), mcp_call (calls a tool of an MCP server), human_task (asks a person), for_each and while (loops), \
    workflow_call (another workflow). Steps run when what they depend on is settled; steps without a path between \
    them run in parallel. Fields are templates: {{input.x}} is the run's input, {{steps.<id>.result.x}} a result.

    1. workflows_graph_schema: every step type with its fields.
    2. workflows_create: a name and a draft graph. workflows_patch changes the draft.
    3. workflows_validate: what is wrong with it, and what would mend it. Repeat until valid is true.
    4. workflows_publish_version: runs execute published versions, never the draft.
    5. workflows_execute_command with command = start: the input in params; with wait_s the outputs come with the \
    answer. Give params.run_id a UUID of your own, so that repeating a call starts nothing twice.
    6. runs_get_summary: where the run stands. runs_get_context: what its steps made. runs_list_events: what happened.
    7. tasks_list_pending and tasks_complete: decisions that wait for a person. Ask the person; their answer is final.

    A tool that fails answers with JSON: error says what is wrong and what to do, code is the same for programs, \
    issues has the places in a graph. 401 and 403 mean that the access token is not valid or lacks a role or a scope.";

/// What the tool answers.
pub fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "guide": { "type": "string", "description": "How to go about it." },
            "example": { "type": "object", "description": "Arguments of workflows_create." },
            "tools": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "name": { "type": "string" }, "title": { "type": "string" } },
                    "required": ["name", "title"]
                }
            },
            "version": { "type": "string", "description": "Of the service." }
        },
        "required": ["guide", "example", "tools", "version"]
    })
}

/// Puts the guide together for these tools.
pub async fn read(
    api: &Api,
    caller: &HeaderMap,
    entries: impl Iterator<Item = &'static Entry>,
) -> Result<Value, Answer> {
    let health = api.read(caller, "/v1/health").await?;
    let tool = |entry: &Entry| json!({ "name": entry.tool.name, "title": entry.tool.title });
    Ok(json!({
        "guide": GUIDE.lines().map(str::trim_start).collect::<Vec<_>>().join("\n"),
        "example": {
            "name": "order-triage",
            "graph": {
                "input_schema": {
                    "type": "object",
                    "properties": { "amount": { "type": "number" } },
                    "required": ["amount"]
                },
                "steps": [
                    { "id": "rate", "type": "lua_script", "script": "return { large = input.amount > 1000 }" },
                    { "id": "approve", "type": "human_task", "task_type": "approval", "depends_on": ["rate"],
                      "condition": "{{steps.rate.result.large}}",
                      "task_payload": { "title": "Approve {{input.amount}}?" } }
                ]
            }
        },
        "tools": entries.map(tool).collect::<Vec<_>>(),
        "version": health["version"],
    }))
}
