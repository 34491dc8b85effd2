use serde_json::{Value, json};

use super::{finds_in_steps, for_each, found, lua, result, with};
use crate::validate::{Bindings, Called, CheckResult, Report, Request, Server, Tool, Tools, validate_with};
use types::issue::Check;

/// One server, `github`, with one tool.
struct Github(Value);

impl Github {
    fn new() -> Self {
        Self(json!({
            "type": "object", "required": ["repo", "title"], "additionalProperties": false,
            "properties": {
                "repo": { "type": "string" }, "title": { "type": "string", "maxLength": 5 },
                "count": { "type": "integer" },
                "labels": { "type": "array", "minItems": 2, "items": { "type": "string" } },
            },
        }))
    }
}

impl Bindings for Github {
    fn tools(&self, server: Server<'_>) -> Tools<'_> {
        match server {
            Server::Instance("github") => Tools::Known(vec![
                Tool { name: "create_issue", input_schema: Some(&self.0) },
                Tool { name: "ping", input_schema: None },
            ]),
            Server::Url("https://unreachable") => Tools::Unknown,
            _ => Tools::NoServer,
        }
    }

    fn workflow(&self, id: &str) -> Called {
        match id {
            "known" => Called::Published,
            "draft" => Called::NotRunnable,
            "self" => Called::Itself,
            "elsewhere" => Called::Unknown,
            _ => Called::NoWorkflow,
        }
    }
}

#[test]
fn called_workflows_are_looked_up_in_bodies_too() {
    let codes = |id: &str, in_body: bool| {
        let call = json!({ "id": "c", "type": "workflow_call", "workflow_id": id });
        let step = if in_body { for_each("each", json!([call]), json!({})) } else { call };
        let report = check(step);
        report.issues.iter().map(|issue| issue.code.to_string()).collect::<Vec<_>>()
    };
    for in_body in [false, true] {
        assert!(codes("known", in_body).is_empty());
        assert!(codes("elsewhere", in_body).is_empty());
        assert_eq!(codes("draft", in_body), ["called_workflow_not_published"]);
        assert_eq!(codes("self", in_body), ["workflow_calls_itself"]);
        assert_eq!(codes("nowhere", in_body), ["called_workflow_not_found"]);
    }
}

fn mcp(more: Value) -> Value {
    let step = json!({ "id": "m", "type": "mcp_call", "instance_id": "github", "tool_name": "create_issue" });
    with(step, more)
}

fn check(step: Value) -> Report {
    let graph = json!({ "steps": [step] });
    validate_with(&Request::new(&graph, &|_| true), &Github::new())
}

#[test]
fn without_bindings_mcp_steps_are_not_judged() {
    let report = finds_in_steps(json!([mcp(json!({}))]), &[]);
    assert_eq!(result(&report, Check::McpBindings), CheckResult::Skipped);
    let report = finds_in_steps(json!([lua("a", json!({}))]), &[]);
    assert_eq!(result(&report, Check::McpBindings), CheckResult::Passed);
    let report = check(mcp(json!({ "instance_id": null, "server_url": "https://unreachable" })));
    assert_eq!(result(&report, Check::McpBindings), CheckResult::Skipped);
}

#[test]
fn servers_and_tools_exist() {
    assert_eq!(
        found(&check(mcp(json!({ "instance_id": "gitlab" })))),
        ["error mcp_server_not_found $.steps[0].instance_id (m)"]
    );
    assert_eq!(
        found(&check(mcp(json!({ "instance_id": null, "server_url": "https://x" })))),
        ["error mcp_server_not_found $.steps[0].server_url (m)"]
    );
    let report = check(mcp(json!({ "tool_name": "create_isue" })));
    assert_eq!(found(&report), ["error mcp_tool_not_found $.steps[0].tool_name (m)"]);
    assert_eq!(report.issues[0].suggestion, "did you mean \"create_issue\"?");
    assert_eq!(
        found(&check(mcp(json!({ "tool_name": "ping", "tool_args": { "any": 1 } })))),
        Vec::<String>::new()
    );
    let inner = for_each("f", json!([mcp(json!({ "instance_id": "gitlab" }))]), json!({}));
    assert_eq!(
        found(&check(inner)),
        ["error mcp_server_not_found $.steps[0].for_each_body_steps[0].instance_id (m)"]
    );
}

#[test]
fn arguments_that_contradict_the_tools_schema_are_refused() {
    let args = |args: Value| found(&check(mcp(json!({ "tool_args": args }))));
    assert_eq!(args(json!({ "repo": "r", "title": "t" })), Vec::<String>::new());
    assert_eq!(
        args(json!({ "repo": 5, "nope": 1, "labels": [1, "x"], "title": "too long" })),
        [
            "error mcp_args_invalid $.steps[0].tool_args.labels[0] (m)",
            "error mcp_args_invalid $.steps[0].tool_args.repo (m)",
            "error mcp_args_invalid $.steps[0].tool_args.title (m)",
            "error mcp_args_invalid $.steps[0].tool_args (m)",
        ]
    );
    assert_eq!(found(&check(mcp(json!({})))).len(), 2, "both required arguments are missing");
}

#[test]
fn what_an_expression_will_give_is_not_held_against_it() {
    let args = |args: Value| found(&check(mcp(json!({ "tool_args": args }))));
    let templated = json!({ "repo": "{{ input.r }}", "title": "{{ input.title }}", "count": "{{ input.n }}",
                            "labels": ["{{ input.label }}"] });
    assert_eq!(args(templated), Vec::<String>::new());
    assert_eq!(args(json!("{{ input.args }}")), Vec::<String>::new());
    // Which keys there are is known all the same.
    assert_eq!(
        args(json!({ "repo": "{{ input.r }}", "nope": "{{ input.x }}" })),
        [
            "error mcp_args_invalid $.steps[0].tool_args (m)",
            "error mcp_args_invalid $.steps[0].tool_args (m)"
        ]
    );
}
