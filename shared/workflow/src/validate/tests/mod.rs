//! The dry run, by what an author may get wrong.

#![expect(clippy::needless_pass_by_value, reason = "json!(…) reads better as an argument without a &")]

mod bindings;
mod bounds;
mod config;
mod dependencies;
mod fixture;
mod inputs;
mod models;
mod properties;
mod references;
mod scripts;
mod structure;
mod templates;

use serde_json::{Value, json};

use super::{CheckResult, Report, Request, validate};
use types::issue::{Check, Issue};

/// Validates a graph with every step type available, and nothing else given.
fn report(graph: &Value) -> Report {
    validate(&Request::new(graph, &|_| true))
}

fn with_params(graph: &Value, params: &Value) -> Report {
    validate(&Request { params: Some(params), ..Request::new(graph, &|_| true) })
}

fn graph(steps: Value) -> Value {
    json!({ "steps": steps })
}

/// A script that is fine, with some more fields.
fn lua(id: &str, more: Value) -> Value {
    with(json!({ "id": id, "type": "lua_script", "script": "return {}" }), more)
}

/// A model call whose prompt is `prompt`.
fn llm(id: &str, prompt: &str, more: Value) -> Value {
    with(json!({ "id": id, "type": "llm_call", "model": "gpt-4.1", "prompt": prompt }), more)
}

fn for_each(id: &str, body: Value, more: Value) -> Value {
    let step = json!({ "id": id, "type": "for_each", "for_each_items": [1], "for_each_body_steps": body });
    with(step, more)
}

fn while_loop(id: &str, body: Value, more: Value) -> Value {
    let step = json!({
        "id": id, "type": "while", "while_mode": "until", "while_max_iterations": 5,
        "while_condition": "{{ while.iteration }} > 2", "while_body_steps": body,
    });
    with(step, more)
}

fn with(mut step: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        step[key] = value.clone();
    }
    step
}

/// What was found, as `severity code path (step)`.
fn found(report: &Report) -> Vec<String> {
    let severity = |issue: &Issue| if issue.is_error() { "error" } else { "warning" };
    report
        .issues
        .iter()
        .map(|issue| {
            let step = issue.step_id.as_deref().unwrap_or("-");
            format!("{} {} {} ({step})", severity(issue), issue.code, issue.json_path)
        })
        .collect()
}

fn finds(graph: &Value, expected: &[&str]) -> Report {
    let report = report(graph);
    assert_eq!(found(&report), expected, "{graph}\n{:#?}", report.issues);
    for issue in &report.issues {
        assert!(!issue.message.is_empty() && !issue.suggestion.is_empty(), "{issue:?}");
    }
    report
}

fn finds_in_steps(steps: Value, expected: &[&str]) -> Report {
    finds(&graph(steps), expected)
}

fn result(report: &Report, check: Check) -> CheckResult {
    report.check_results[&check]
}

#[test]
fn a_good_graph_passes_and_the_report_reads_as_documented() {
    let graph = graph(json!([lua("a", json!({}))]));
    let report = report(&graph);
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({
            "valid": true, "readiness": "ready",
            "graph_hash": crate::graph_hash(&graph),
            "checks_performed": ["graph", "dependencies", "step_config", "templates", "lua_syntax",
                                 "mcp_bindings", "disabled_steps", "input_schema", "lua_fixture"],
            "check_results": {
                "graph": "passed", "dependencies": "passed", "step_config": "passed",
                "templates": "passed", "lua_syntax": "passed", "mcp_bindings": "passed",
                "disabled_steps": "passed", "input_schema": "skipped", "lua_fixture": "skipped",
            },
            "issues": [], "blockers": [], "topological_order": ["a"],
        })
    );
}

#[test]
fn an_error_blocks_and_reads_as_documented() {
    let report = report(&graph(json!([
        lua("b", json!({ "depends_on": ["c"] })),
        lua("c", json!({ "depends_on": ["b"] }))
    ])));
    assert!(!report.valid);
    let report = serde_json::to_value(&report).unwrap();
    assert_eq!(report["readiness"], "blocked");
    assert_eq!(report["check_results"]["dependencies"], "failed");
    assert_eq!(
        report["issues"],
        json!([{
            "severity": "error", "check": "dependencies", "code": "dependency_cycle", "step_id": "b",
            "json_path": "$.steps[0].depends_on[0]",
            "message": "b → c → b: each of these waits for the next",
            "suggestion": "remove one of these dependencies; to repeat steps use a while step",
        }])
    );
}

#[test]
fn warnings_do_not_block() {
    let report = finds_in_steps(
        json!([lua("a", json!({ "enabled": false }))]),
        &["warning step_disabled $.steps[0].enabled (a)"],
    );
    assert!(report.valid);
    assert_eq!(result(&report, Check::DisabledSteps), CheckResult::Warning);
}

#[test]
fn issues_come_by_check_and_all_of_them() {
    let report = finds_in_steps(
        json!([
            llm("a", "{{ steps.x.result }}", json!({ "retry_count": 11, "modle": 1 })),
            lua("b", json!({ "script": "return {", "depends_on": ["nope"] })),
        ]),
        &[
            "error unknown_field $.steps[0].modle (a)",
            "error unknown_dependency $.steps[1].depends_on[0] (b)",
            "error out_of_range $.steps[0].retry_count (a)",
            "error step_not_found $.steps[0].prompt (a)",
            "error lua_syntax $.steps[1].script (b)",
        ],
    );
    for check in [Check::Graph, Check::Dependencies, Check::StepConfig, Check::Templates, Check::LuaSyntax] {
        assert_eq!(result(&report, check), CheckResult::Failed);
    }
}
