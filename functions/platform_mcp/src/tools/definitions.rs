//! The tools that lead to one route each.

use serde_json::{Map, Value, json};
use shared::api::{
    CanListPats, CanManagePats, CanRead, CanReadMcp, CanReadTasks, CanReadWebhooks, CanRun, CanWrite,
    CanWriteWebhooks,
};
use shared::services::auth::Caller;

use super::Effect;

/// A tool that leads to a route.
#[derive(Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is for and when to use it, for a model.
    pub description: &'static str,
    /// The route's method, in lower case.
    pub method: &'static str,
    /// The route's path, as the OpenAPI document writes it.
    pub path: &'static str,
    /// What the path's `{id}` is called.
    pub id: &'static str,
    /// The path of the route to take when the id is left out.
    pub without_id: Option<&'static str>,
    /// What it does to the world.
    pub effect: Effect,
    /// Whether a caller may use it: what the route asks for.
    pub allows: fn(&Caller) -> bool,
    /// Descriptions of arguments, where a model needs more than the route says.
    pub notes: &'static [(&'static str, &'static str)],
    /// What is added to the body.
    pub amend: Option<fn(&mut Map<String, Value>)>,
}

impl Definition {
    /// A tool that reads.
    pub const fn reads(
        name: &'static str,
        title: &'static str,
        path: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            title,
            description,
            method: "get",
            path,
            id: "workflow_id",
            without_id: None,
            effect: Effect::READS,
            allows: CanRead::allows,
            notes: &[],
            amend: None,
        }
    }

    /// A tool that posts.
    pub const fn posts(
        name: &'static str,
        title: &'static str,
        path: &'static str,
        description: &'static str,
    ) -> Self {
        let base = Self::reads(name, title, path, description);
        Self { method: "post", effect: Effect::ADDS, ..base }
    }
}

const GRAPH: (&str, &str) = (
    "graph",
    "The draft graph: { \"steps\": [ { \"id\", \"type\", \"depends_on\"?, … } ], \"input_schema\"? }. Its JSON Schema \
     is what workflows_graph_schema answers.",
);

/// The tools.
pub const DEFINITIONS: &[Definition] = &[
    Definition::reads(
        "workflows_list",
        "List workflows",
        "/v1/workflows",
        "Lists the project's workflows, newest first, without their graphs. Use it to find a workflow's id by its \
         name (q). Go on with cursor = next_cursor while there is one.",
    ),
    Definition::reads(
        "workflows_get",
        "Read a workflow",
        "/v1/workflows/{id}",
        "Reads one workflow with its draft graph, its latest published version and its etag.",
    ),
    Definition {
        allows: CanWrite::allows,
        notes: &[GRAPH],
        ..Definition::posts(
            "workflows_create",
            "Create a workflow",
            "/v1/workflows",
            "Creates a workflow with a draft graph. The draft must be readable as a graph but need not be valid yet; \
             nothing runs until a version is published. Calling it twice makes two workflows.",
        )
    },
    Definition {
        allows: CanWrite::allows,
        method: "patch",
        effect: Effect::REPLACES,
        notes: &[GRAPH],
        ..Definition::posts(
            "workflows_patch",
            "Change a workflow",
            "/v1/workflows/{id}",
            "Changes a workflow's name, description, draft graph (whole) or start defaults; what is left out stays. \
             Published versions and runs are not touched. Send if_match with the etag you have read, so that nobody \
             else's change is overwritten.",
        )
    },
    Definition {
        allows: CanWrite::allows,
        method: "patch",
        effect: Effect::REPLACES,
        notes: &[GRAPH],
        ..Definition::posts(
            "workflows_update",
            "Update a workflow",
            "/v1/workflows/{id}",
            "Replaces what is given of a workflow: its draft graph (whole), name, description, start defaults, the tool \
             that it is offered as; what is left out stays. The same as workflows_patch, under the name that authoring \
             skills use after workflows_create.",
        )
    },
    Definition {
        allows: CanWrite::allows,
        effect: Effect::ADDS_ONCE,
        ..Definition::posts(
            "workflows_publish_version",
            "Publish a version",
            "/v1/workflows/{id}/versions",
            "Publishes the draft as the next version, which runs then execute. Refused with issues when the graph has \
             errors; a draft equal to the latest version publishes nothing and answers with that version.",
        )
    },
    Definition {
        allows: CanWrite::allows,
        effect: Effect::READS,
        without_id: Some("/v1/workflows/validate"),
        notes: &[
            (
                "workflow_id",
                "The workflow whose draft to check; leave it out to check a graph that is not saved.",
            ),
            ("graph", "The graph to check; the saved draft when left out."),
        ],
        ..Definition::posts(
            "workflows_validate",
            "Check a graph",
            "/v1/workflows/{id}/validate",
            "Checks a graph without running anything: structure, dependencies, templates, scripts, bindings. Answers \
             valid, and issues with the place of each and what would mend it. Use it before publishing.",
        )
    },
    Definition {
        allows: CanRun::allows,
        effect: Effect::ACTS,
        notes: &[(
            "params",
            "Of start: the input, either as these keys themselves or under trigger_payload; beside it run_id (a UUID \
             of your own: starting again with it returns the same run, so that repeating is safe), version, \
             trigger_steps, excluded_step_ids, use_run_setup_defaults, external_user_id, resume_from_run_id with \
             from_step_id. Of pause, resume and stop: run_id, and for stop mode (immediate or graceful).",
        )],
        amend: Some(started_by_mcp),
        ..Definition::posts(
            "workflows_execute_command",
            "Start, pause, resume or stop a run",
            "/v1/workflows/{id}/command",
            "Gives a command: start begins a run of the latest published version and answers with its run_id (and, \
             with wait_s, its outputs if it is over by then); pause, resume and stop change a run under way. A run \
             does what its steps say, which may reach other systems. To be able to repeat a start, give params.run_id.",
        )
    },
    Definition::reads(
        "workflows_list_runs",
        "List a workflow's runs",
        "/v1/workflows/{id}/runs",
        "Lists the runs of one workflow, newest first, with status and times but without steps.",
    ),
    Definition::reads(
        "workflows_graph_schema",
        "Read the schema of graphs",
        "/v1/workflows/schema",
        "Reads the JSON Schema of a workflow graph: every step type with its fields. Read it before writing a graph.",
    ),
    Definition::reads(
        "runs_get_summary",
        "Read a run in short",
        "/v1/workflows/{id}/runs/{run_id}/summary",
        "Tells where a run stands: status, phase, whether it is complete, what failed, how many steps are in which \
         state, how many tasks wait for people. The first thing to look at after a start.",
    ),
    Definition::reads(
        "runs_list_tenant",
        "List runs of the whole workspace",
        "/v1/runs",
        "Lists the runs of all workflows and projects of the workspace, newest first; filter by status, workflow_id, \
         project_id, since.",
    ),
    Definition {
        notes: &[(
            "wait_s",
            "When there is no newer event yet: wait for one so many seconds, at most 20, or until the run is over.",
        )],
        ..Definition::reads(
            "runs_list_events",
            "Read a run's events",
            "/v1/workflows/{id}/runs/{run_id}/events",
            "Reads what happened in a run, oldest first. To follow a run, ask again with after = the last seq that you \
             have seen, and wait_s.",
        )
    },
    Definition::reads(
        "runs_get_context",
        "Read a run's data",
        "/v1/workflows/{id}/runs/{run_id}/context",
        "Reads a run's input and, by step, what it was called with and its result or error. Use it to find out why a \
         step failed or what a run made; with step_id for one step only.",
    ),
    Definition::reads(
        "tasks_list_pending",
        "List the inbox",
        "/v1/tasks/pending",
        "Lists what waits for a person's decision in the whole workspace, newest first.",
    ),
    Definition {
        allows: CanReadTasks::allows,
        ..Definition::reads(
            "tasks_list_pending_run",
            "List a run's open tasks",
            "/v1/workflows/{id}/runs/{run_id}/tasks/pending",
            "Lists what waits for a person's decision in one run: the answers that it needs before it can go on.",
        )
    },
    Definition {
        allows: CanRun::allows,
        effect: Effect::ACTS,
        ..Definition::posts(
            "tasks_complete",
            "Answer a task",
            "/v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete",
            "Answers a human task with approved true or false; the run goes on from there, and the answer is final. It \
             is a person's decision: ask the person first, and put their words into notes.",
        )
    },
    Definition {
        id: "server_id",
        allows: CanReadMcp::allows,
        ..Definition::reads(
            "catalog_servers_get",
            "Read an MCP server",
            "/v1/mcp/servers/{id}",
            "Reads one registered MCP server with all tools of its active version and their schemas, which may be much. \
             For the schemas of a few tools catalog_tools_schema is shorter.",
        )
    },
    Definition {
        allows: CanReadMcp::allows,
        ..Definition::reads(
            "catalog_tools_list",
            "List tools of connectors",
            "/v1/mcp/tools",
            "Lists every tool of every instance of the project, without schemas. To find one by what it does, \
             catalog_tools_search is shorter and says which instances can be called.",
        )
    },
    Definition {
        allows: CanReadWebhooks::allows,
        ..Definition::reads(
            "inbound_webhooks_list",
            "List inbound webhooks",
            "/v1/inbound-webhooks",
            "Lists the addresses at which other systems start runs of this project's workflows, newest first, never their \
             secrets.",
        )
    },
    Definition {
        method: "delete",
        id: "subscription_id",
        effect: Effect::REPLACES,
        allows: CanWriteWebhooks::allows,
        ..Definition::posts(
            "inbound_webhooks_delete",
            "Delete an inbound webhook",
            "/v1/inbound-webhooks/{id}",
            "Deletes an inbound webhook and destroys its secret: its sender starts nothing any more. It cannot be undone.",
        )
    },
    Definition {
        id: "pat_id",
        allows: CanListPats::allows,
        ..Definition::reads(
            "pats_list",
            "List access tokens",
            "/v1/pats",
            "Lists the project's access tokens, with their scopes and when they were last used, never the tokens.",
        )
    },
    Definition {
        method: "delete",
        id: "pat_id",
        effect: Effect::REPLACES,
        allows: CanManagePats::allows,
        ..Definition::posts(
            "pats_revoke",
            "Revoke an access token",
            "/v1/pats/{id}",
            "Revokes an access token: within a minute nothing accepts it any more. It cannot be undone.",
        )
    },
];

/// A start through here says so in the run's trigger_type, unless the caller says otherwise.
fn started_by_mcp(body: &mut Map<String, Value>) {
    if body.get("command").and_then(Value::as_str) != Some("start") {
        return;
    }
    if let Some(params) = body.entry("params").or_insert_with(|| json!({})).as_object_mut() {
        params.entry("trigger_type").or_insert_with(|| "mcp".into());
    }
}
