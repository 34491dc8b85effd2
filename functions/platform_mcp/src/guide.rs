//! `ar_get_started`: what a model needs to know before its first workflow.

use serde_json::{Map, Value, json};
use shared::api::CanConnect;

use crate::tools::effect::Effect;
use crate::tools::entry::Entry;
use crate::tools::own::{Context, Nothing, Outcome, Own, nothing};

/// The tool.
pub const TOOL: Own = Own {
    name: "ar_get_started",
    title: "Get started with AgentRuntime",
    description: DESCRIPTION,
    effect: Effect::READS,
    allows: CanConnect::allows,
    input: nothing,
    output,
    run: |context, given| Box::pin(read(context, given)),
};

const DESCRIPTION: &str = "Explains what AgentRuntime is, how a workflow is built and run step by step with an \
    example, and which tools there are. Call it once, before anything else.";

const GUIDE: &str = "AgentRuntime runs workflows. A workflow is a graph of steps: lua_script (computes), llm_call \
    (asks a model), mcp_call (calls a tool of an MCP server), human_task (asks a person), for_each and while (loops), \
    workflow_call (another workflow). Steps run when what they depend on is settled; steps without a path between \
    them run in parallel. Fields are templates: {{input.x}} is the run's input, {{steps.<id>.result.x}} a result.

    1. workflows_authoring_contract and workflows_graph_schema: the rules, and every step type with its fields; \
    workflows_llm_step_contract when the graph asks a model.
    2. catalog_connectors_browse, catalog_tools_search, catalog_tools_schema: what mcp_call steps can call, and with what.
    3. workflows_create: a name and a draft graph. workflows_update changes the draft.
    4. workflows_validate: what is wrong with it, and what would mend it. Repeat until valid is true.
    5. workflows_publish_version: runs execute published versions, never the draft.
    6. workflow_run: starts a run and waits for it; workflow_await waits on. Give params.run_id a UUID of your own, so \
    that repeating a call starts nothing twice.
    7. workflow_inspect: where the run stands, step by step. runs_get_context: what its steps made. runs_list_events: \
    what happened.
    8. workflow_approve: a decision that waits for a person. Ask the person; their answer is final.
    9. workflows_update with expose_as_tool: offers a published workflow as a tool of its own, here and to other clients.

    A tool that fails answers with JSON: error says what is wrong and what to do, code is the same for programs, \
    issues has the places in a graph. 401 and 403 mean that the access token is not valid or lacks a role or a scope.";

/// What the tool answers.
fn output() -> Value {
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

/// Puts the guide together for the tools that the caller may use.
async fn read(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let Nothing {} = context.arguments(given)?;
    let health = context.get("/v1/health").await?;
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
        "tools": context.tools().map(tool).collect::<Vec<_>>(),
        "version": health["version"],
    }))
}
