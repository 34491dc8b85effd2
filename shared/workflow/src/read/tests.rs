use serde_json::{Value, json};

use super::super::graph::Graph;
use super::super::limits::GRAPH_MAX_BYTES;
use super::super::steps::{ErrorPolicy, StepKind, Templated};
use super::super::values::Seconds;
use types::issue::Issue;

fn issues(graph: &Value) -> Vec<Issue> {
    Graph::read(graph).expect_err("it was readable")
}

/// What was found, as `code path (step)`.
fn found(graph: &Value) -> Vec<String> {
    let describe = |issue: &Issue| {
        format!("{} {} ({})", issue.code, issue.json_path, issue.step_id.as_deref().unwrap_or(""))
    };
    issues(graph).iter().map(describe).collect()
}

fn of_step(step: &Value) -> Vec<String> {
    found(&json!({ "steps": [step] }))
}

#[test]
fn a_minimal_step_gets_its_defaults() {
    let graph =
        Graph::read(&json!({ "steps": [{ "id": "a", "type": "lua_script", "script": "return {}" }] }));
    let step = graph.unwrap().steps.remove(0);
    assert_eq!(step.name, "a");
    assert!(step.enabled && !step.continue_on_error && !step.no_auto_start && !step.terminal);
    assert_eq!((step.retry_count, step.retry_backoff_s), (0, Seconds(1.0)));
    assert_eq!(step.timeout().map(|timeout| timeout.as_secs()), Some(5));
    assert!(step.depends_on.is_empty() && step.input_allowlist.is_empty());
}

#[test]
fn every_type_reads_with_all_its_fields_and_serializes_back_to_the_same() {
    let common = json!({
        "depends_on": ["x"], "enabled": false, "condition": "{{ input.a }}", "skip_when": "{{ input.b }}",
        "retry_count": 3, "retry_backoff_s": 0.5, "timeout_s": 20, "continue_on_error": true,
        "no_auto_start": true, "terminal": true, "input_allowlist": ["x", "human"],
        "metadata": { "anything": [1, { "at": "all" }] },
    });
    let inner = json!([{ "id": "i", "name": "I", "type": "lua_script", "script": "return {}" }]);
    for kind in [
        json!({ "type": "lua_script", "script": "return {}" }),
        json!({
            "type": "llm_call", "prompt": "p", "model": "m", "model_ref": "r", "system": "s",
            "llm_params": {
                "temperature": 0.2, "max_tokens": "{{ input.n }}", "top_p": 1.0, "stop": ["a", "b"],
                "response_format": { "type": "json_object" }, "seed": -1,
            },
            "llm_credential_id": "c", "llm_credential_scope": "system", "output_schema": { "type": "object" },
        }),
        json!({
            "type": "mcp_call", "tool_name": "t", "instance_id": "i", "server_url": "https://x",
            "tool_args": { "a": ["{{ input.a }}"] }, "connection_resolution": "principal",
        }),
        json!({ "type": "human_task", "task_type": "t", "task_payload": { "a": 1 }, "on_timeout": "reject" }),
        json!({
            "type": "for_each", "for_each_items": "{{ input.items }}", "for_each_body_steps": inner,
            "for_each_max_parallel": 100, "for_each_error_policy": "human_review", "for_each_item_timeout_s": 9,
        }),
        json!({
            "type": "while", "while_mode": "until", "while_max_iterations": 1000, "while_body_steps": inner,
            "while_condition": "{{ body.i.done }}", "while_eval_script": "return {}",
            "while_iteration_timeout_s": 1.5,
        }),
        json!({
            "type": "workflow_call", "workflow_id": "w", "version": 3, "input": { "a": 1 }, "wait": false,
            "output_from": "last",
        }),
        json!({ "type": "agent_call", "agent_id": "a", "prompt": "p", "input": "{{ input }}", "max_tool_rounds": 3 }),
    ] {
        let mut step = common.clone();
        let fields = step.as_object_mut().unwrap();
        fields.extend(json!({ "id": "s", "name": "S" }).as_object().unwrap().clone());
        fields.extend(kind.as_object().unwrap().clone());
        let graph = json!({ "steps": [step], "input_schema": { "type": "object" } });
        let read = Graph::read(&graph).unwrap_or_else(|issues| panic!("{kind}: {issues:?}"));
        assert_eq!(json!(read), graph);
        assert_eq!(json!(read.steps[0].kind.type_name()), kind["type"]);
        let again: Graph = serde_json::from_value(json!(read)).unwrap();
        assert_eq!(again, read, "what is stored reads back through serde alone");
    }
}

#[test]
fn a_draft_may_lack_what_its_types_require() {
    for kind in StepKind::TYPES {
        let graph = json!({ "steps": [{ "id": "a", "type": kind }] });
        assert!(Graph::read(&graph).is_ok(), "{kind}");
    }
    assert!(Graph::read(&json!({ "steps": [] })).is_ok());
}

#[test]
fn what_exports_carry_beside_the_steps_is_ignored() {
    let graph = json!({
        "steps": [], "tenant_id": 5, "workflow_id": null, "params": [], "nodes": [{}], "edges": "x",
        "input_schema": null,
    });
    assert_eq!(Graph::read(&graph), Ok(Graph::default()));
}

#[test]
fn null_counts_as_not_given() {
    let step = json!({
        "id": "a", "type": "for_each", "name": null, "depends_on": null, "enabled": null, "timeout_s": null,
        "for_each_items": null, "for_each_body_steps": null, "for_each_error_policy": null,
    });
    let graph = Graph::read(&json!({ "steps": [step] })).unwrap();
    assert_eq!(graph.steps[0].name, "a");
    let StepKind::ForEach(kind) = &graph.steps[0].kind else { panic!("another type") };
    assert_eq!((kind.for_each_max_parallel, kind.for_each_error_policy), (10, ErrorPolicy::FailFast));
}

#[test]
fn what_may_come_from_a_template_is_told_from_a_value() {
    let graph = Graph::read(&json!({ "steps": [
        { "id": "a", "type": "for_each", "for_each_items": "{{ input.items }}" },
        { "id": "b", "type": "for_each", "for_each_items": ["{{ input.item }}"] },
    ] }));
    let kinds: Vec<_> = graph.unwrap().steps.into_iter().map(|step| step.kind).collect();
    let [StepKind::ForEach(template), StepKind::ForEach(value)] = kinds.as_slice() else { panic!() };
    assert_eq!(template.for_each_items, Some(Templated::Template("{{ input.items }}".into())));
    assert!(value.for_each_items.as_ref().and_then(Templated::value).is_some());
}

#[test]
fn a_graph_that_is_none_is_refused() {
    assert_eq!(found(&json!([])), ["invalid_type $ ()"]);
    assert_eq!(found(&json!({})), ["missing_steps $.steps ()"]);
    assert_eq!(found(&json!({ "steps": {} })), ["invalid_type $.steps ()"]);
    assert_eq!(
        found(&json!({ "steps": null, "input_schema": true })),
        ["invalid_type $.input_schema ()", "invalid_type $.steps ()"]
    );
}

#[test]
fn every_misshapen_part_is_reported_with_its_step_and_path() {
    let graph = json!({ "steps": [
        7,
        { "type": "lua_script" },
        { "id": 5, "type": "lua_script" },
        { "id": "no-type" },
        { "id": "odd-type", "type": 5 },
        { "id": "typo", "type": "lua_scirpt" },
        {
            "id": "many", "type": "llm_call", "prompt": 5, "model": [], "depends_on": ["a", 1, {}, "b"],
            "enabled": "yes", "retry_count": -1, "timeout_s": "10",
            "llm_params": { "temperature": "hot", "max_tokens": 1.5, "stop": 5 }, "llm_credential_scope": "mine",
        },
    ] });
    let mut found = found(&graph);
    found.sort();
    let mut expected = vec![
        "invalid_type $.steps[0] ()",
        "missing_id $.steps[1].id ()",
        "invalid_type $.steps[2].id ()",
        "missing_type $.steps[3].type (no-type)",
        "invalid_type $.steps[4].type (odd-type)",
        "unknown_type $.steps[5].type (typo)",
        "invalid_type $.steps[6].prompt (many)",
        "invalid_type $.steps[6].model (many)",
        "invalid_type $.steps[6].depends_on[1] (many)",
        "invalid_type $.steps[6].depends_on[2] (many)",
        "invalid_type $.steps[6].enabled (many)",
        "invalid_value $.steps[6].retry_count (many)",
        "invalid_type $.steps[6].timeout_s (many)",
        "invalid_type $.steps[6].llm_params.temperature (many)",
        "invalid_type $.steps[6].llm_params.max_tokens (many)",
        "invalid_type $.steps[6].llm_params.stop (many)",
        "invalid_value $.steps[6].llm_credential_scope (many)",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn inner_steps_are_read_like_any_other() {
    let step = json!({ "id": "loop", "type": "for_each", "for_each_items": 5, "for_each_body_steps": [
        { "id": "a", "type": "lua_script", "script": 1 },
        { "id": "b", "type": "nope" },
        "c",
    ] });
    assert_eq!(
        of_step(&step),
        [
            "invalid_type $.steps[0].for_each_items (loop)",
            "invalid_type $.steps[0].for_each_body_steps[0].script (a)",
            "unknown_type $.steps[0].for_each_body_steps[1].type (b)",
            "invalid_type $.steps[0].for_each_body_steps[2] (loop)",
        ]
    );
    let step = json!({ "id": "loop", "type": "while", "while_body_steps": {} });
    assert_eq!(of_step(&step), ["invalid_type $.steps[0].while_body_steps (loop)"]);
}

#[test]
fn messages_use_json_words_and_say_what_to_write() {
    let step = json!({
        "id": "a", "type": "human_task", "task_payload": [1], "on_timeout": "maybe", "retry_count": 1.5,
        "name": 5, "timeout_s": "a secret",
    });
    let mut texts: Vec<_> = issues(&json!({ "steps": [step] }))
        .into_iter()
        .map(|issue| format!("{} → {}", issue.message, issue.suggestion))
        .collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            "name: expected a string, found integer `5` → write a string",
            "on_timeout: expected one of `fail`, `approve`, `reject`, found unknown variant `maybe` → \
             write one of `fail`, `approve`, `reject`",
            "retry_count: expected a whole number, 0 or more, found floating point `1.5` → \
             write a whole number, 0 or more",
            "task_payload: expected an object, found a list → write an object",
            "timeout_s: expected a number, found a string → write a number",
        ]
    );
}

#[test]
fn types_that_other_engines_have_are_answered_with_what_to_use_here() {
    for (name, hint) in [
        ("condition", "`condition` field"),
        ("parallel", "in parallel by themselves"),
        ("sequence", "depends_on"),
        ("LuaScript", "lua_script"),
        ("webhook", "the types are"),
    ] {
        let issues = issues(&json!({ "steps": [{ "id": "a", "type": name }] }));
        assert!(issues[0].suggestion.contains(hint), "{name}: {}", issues[0].suggestion);
    }
}

#[test]
fn a_graph_may_have_512_kib_and_not_a_byte_more() {
    let graph = |filler: usize| json!({ "steps": [{ "id": "a", "type": "lua_script", "script": "-".repeat(filler) }] });
    let frame = graph(0).to_string().len();
    assert!(Graph::read(&graph(GRAPH_MAX_BYTES - frame)).is_ok());
    assert_eq!(found(&graph(GRAPH_MAX_BYTES - frame + 1)), ["graph_too_large $ ()"]);
}

#[test]
fn a_deep_nest_of_loops_is_read_without_trouble() {
    let mut text = String::new();
    for level in 0..30 {
        text.push_str(&format!(r#"{{"id":"l{level}","type":"while","while_body_steps":["#));
    }
    text.push_str(&"]}".repeat(30));
    let graph: Value = serde_json::from_str(&format!(r#"{{"steps":[{text}]}}"#)).unwrap();
    let read = Graph::read(&graph).unwrap();
    assert_eq!(read.steps[0].kind.body()[0].id, "l1");
}
