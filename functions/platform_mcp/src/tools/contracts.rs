//! Tools that say what the author of a graph has to keep to, where the graph's JSON Schema cannot.

use serde_json::{Map, Value, json};
use shared::api::CanConnect;
use shared::workflow::limits;

use super::Effect;
use super::own::{Context, Nothing, Outcome, Own, nothing};

/// The tools.
pub const TOOLS: &[Own] = &[
    Own {
        name: "workflows_authoring_contract",
        title: "Read the rules of graphs",
        description: "Explains how a workflow's graph is written: its shape (a list of steps, no nodes and edges), what steps \
            see of each other in templates and in Lua, what loops give, the limits, and the order in which to work. Read it \
            before writing a graph; workflows_graph_schema has every field.",
        effect: Effect::READS,
        allows: CanConnect::allows,
        input: nothing,
        output: authoring_output,
        run: |context, given| Box::pin(authoring(context, given)),
    },
    Own {
        name: "workflows_llm_step_contract",
        title: "Read the rules of model steps",
        description: "Explains what an llm_call step takes and what its result is: an object with the model's text, not the \
            JSON in it unless output_schema asks for that. With examples of reading it in templates and Lua and of standing \
            in for it when a graph is validated. Read it when a graph asks a model.",
        effect: Effect::READS,
        allows: CanConnect::allows,
        input: nothing,
        output: llm_output,
        run: |context, given| Box::pin(llm(context, given)),
    },
];

fn authoring_output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "graph": { "type": "object", "description": "The shape of a graph, with an example." },
            "references": { "type": "array", "items": { "type": "object" },
                            "description": "What a step sees, in templates and in Lua." },
            "rules": { "type": "array", "items": { "type": "string" } },
            "limits": { "type": "object", "additionalProperties": { "type": "number" } },
            "order_of_work": { "type": "array", "items": { "type": "string" } }
        },
        "required": ["graph", "references", "rules", "limits", "order_of_work"]
    })
}

async fn authoring(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let Nothing {} = context.arguments(given)?;
    Ok(json!({
        "graph": {
            "shape": "{ \"steps\": [ … ], \"input_schema\"? }: a list of steps. Edges are depends_on of the steps; there \
                      are no nodes, edges or canvas positions. A step's fields stand on the step itself.",
            "schema_tool": "workflows_graph_schema",
            "example": {
                "input_schema": { "type": "object", "properties": { "amount": { "type": "number" } },
                                  "required": ["amount"] },
                "steps": [
                    { "id": "rate", "type": "lua_script", "script": "return { large = input.amount > 1000 }" },
                    { "id": "ask", "type": "human_task", "task_type": "approval", "depends_on": ["rate"],
                      "condition": "{{steps.rate.result.large}}",
                      "task_payload": { "title": "Approve {{input.amount}}?" } }
                ]
            }
        },
        "references": references(),
        "rules": RULES,
        "limits": limits(),
        "order_of_work": [
            "workflows_graph_schema", "catalog_connectors_browse", "catalog_tools_search", "catalog_tools_schema",
            "workflows_create", "workflows_validate until valid is true", "workflows_publish_version", "workflow_run",
            "workflow_inspect, workflow_approve where a person is asked",
        ],
    }))
}

/// What a step sees, how templates and how scripts write it.
fn references() -> Value {
    let reference =
        |what: &str, template: &str, lua: &str| json!({ "what": what, "template": template, "lua": lua });
    json!([
        reference("the run's input", "{{input.topic}}", "input.topic"),
        reference(
            "the result of a step that this one depends on",
            "{{steps.fetch.result.data}}",
            "steps.fetch.result.data"
        ),
        reference("what a settled step was called with", "{{steps.fetch.input.id}}", "steps.fetch.input.id"),
        reference("the item of a for_each", "{{item.id}}", "item.id"),
        reference("its index, from 0", "{{index}}", "index"),
        reference("an earlier step of the same round of a loop", "{{body.fetch.data}}", "body.fetch.data"),
        reference("the round of a while, from 0", "{{while.iteration}}", "loop.iteration"),
        reference("a step of the round before", "{{while.prev.fetch.data}}", "loop.prev.fetch.data"),
        reference("the run", "{{run.id}}", "run.id"),
    ])
}

const RULES: &[&str] = &[
    "Every step has an id, unique in the graph, and a type. Steps run when all of depends_on are settled; steps \
     without a path between them run in parallel.",
    "A step sees the results of steps that it depends on, directly or through others, and of no others.",
    "A field that is exactly one expression keeps the value's type; an expression inside a text becomes text.",
    "Lua is executed as it stands, without templates: read input and steps. A script returns its result.",
    "A condition that is false skips the step; what only depends on skipped steps is skipped too.",
    "A for_each takes for_each_items and for_each_body_steps; loops do not stand in loops.",
    "A while's while_eval_script returns { pass = true } or { pass = false }; its body runs before the first check.",
    "An mcp_call names tool_name and instance_id as catalog_tools_search gives them; tool_args follow \
     catalog_tools_schema. Do not invent either.",
    "A published version never changes; runs execute versions, never the draft.",
];

/// The limits, from where the engine reads them.
fn limits() -> Value {
    json!({
            "graph_bytes": limits::GRAPH_MAX_BYTES,
            "steps": limits::STEPS_MAX,
            "id_characters": limits::ID_MAX_CHARS,
            "script_bytes": limits::SCRIPT_MAX_BYTES,
            "result_bytes": limits::RESULT_MAX_BYTES,
            "for_each_items": limits::FOR_EACH_ITEMS_MAX,
            "for_each_parallel": limits::FOR_EACH_PARALLEL_MAX,
            "while_iterations": limits::WHILE_ITERATIONS_MAX,
            "retries": limits::RETRY_COUNT_MAX,
            "call_depth": limits::CALL_DEPTH_MAX,
    })
}

fn llm_output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "fields": { "type": "object", "description": "What the step takes." },
            "result": { "type": "object", "description": "What its result has." },
            "reading": { "type": "object", "description": "How later steps read it." },
            "validating": { "type": "object", "description": "How to stand in for it when a graph is validated." },
            "rules": { "type": "array", "items": { "type": "string" } }
        },
        "required": ["fields", "result", "reading", "validating", "rules"]
    })
}

async fn llm(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let Nothing {} = context.arguments(given)?;
    Ok(json!({
        "fields": {
            "model_ref": "direct.<provider>.<model>, such as direct.openai.gpt-4o-mini; GET /v1/llm-provider-keys/catalog \
                          lists models. It needs a key of that provider.",
            "prompt": "What the model is asked; a template.",
            "output_schema": "A JSON Schema: the answer must be JSON that satisfies it, and is asked for once more if it does not.",
            "llm_params": "temperature, max_tokens and others of the provider."
        },
        "result": {
            "model": "the model that answered",
            "text": "its answer as text",
            "json": "the JSON of the answer; only with output_schema",
            "truncated": "true when the answer was cut off at max_tokens; otherwise absent",
            "tokens_in": 0, "tokens_out": 0, "latency_ms": 0
        },
        "reading": {
            "template": "{{steps.<id>.result.text}}, with output_schema {{steps.<id>.result.json.<field>}}",
            "lua": "local answer = steps[\"<id>\"].result\nreturn { text = answer.text }",
            "lua_json": "local ok, value = pcall(json.decode, steps[\"<id>\"].result.text)\nif not ok then error(\"the \
                         answer is not JSON\") end\nreturn { value = value }"
        },
        "validating": {
            "mock_step_outputs": { "<id>": { "text": "{\"people\":[]}", "json": { "people": [] } } }
        },
        "rules": [
            "The result is an object; the text is never parsed by itself. Use output_schema, or decode it in a script.",
            "Validating asks no model and costs nothing: give mock_step_outputs for scripts that read the answer.",
        ],
    }))
}
