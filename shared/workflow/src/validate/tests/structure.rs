use serde_json::{Value, json};

use super::{finds, finds_in_steps, for_each, graph, llm, lua, report, result};
use crate::validate::CheckResult;
use types::issue::Check;

fn scripts(count: usize) -> Value {
    graph((0..count).map(|index| lua(&format!("s{index}"), json!({}))).collect())
}

#[test]
fn what_is_no_graph_is_reported_and_nothing_else_is_looked_at() {
    let report = finds(&json!(5), &["error invalid_type $ (-)"]);
    assert_eq!(result(&report, Check::Graph), CheckResult::Failed);
    assert_eq!(result(&report, Check::Templates), CheckResult::Skipped);
    finds(&json!({}), &["error missing_steps $.steps (-)"]);
    finds(
        &json!({ "steps": 5, "stpes": 1 }),
        &["error invalid_type $.steps (-)", "error unknown_field $.stpes (-)"],
    );
}

#[test]
fn a_graph_has_1_to_500_steps() {
    finds(&graph(json!([])), &["error no_steps $.steps (-)"]);
    finds(&scripts(1), &[]);
    finds(&scripts(500), &[]);
    let report = finds(&scripts(501), &["error too_many_steps $.steps (-)"]);
    assert_eq!(result(&report, Check::Dependencies), CheckResult::Skipped);
}

#[test]
fn a_body_has_at_most_500_steps() {
    let body = |count: usize| (0..count).map(|index| lua(&format!("s{index}"), json!({}))).collect::<Value>();
    finds_in_steps(json!([for_each("f", body(500), json!({}))]), &[]);
    finds_in_steps(
        json!([for_each("f", body(501), json!({}))]),
        &["error too_many_steps $.steps[0].for_each_body_steps (-)"],
    );
}

#[test]
fn a_graph_is_at_most_512_kib() {
    let graph = |filler: usize| json!({ "steps": [lua("a", json!({}))], "nodes": "x".repeat(filler) });
    let frame = graph(0).to_string().len();
    finds(&graph(512 * 1024 - frame), &[]);
    let report = finds(&graph(512 * 1024 - frame + 1), &["error graph_too_large $ (-)"]);
    assert_eq!(result(&report, Check::Dependencies), CheckResult::Skipped);
}

#[test]
fn ids_have_1_to_128_of_few_characters() {
    for id in ["a", "A-Z_09", &"x".repeat(128)] {
        finds_in_steps(json!([lua(id, json!({}))]), &[]);
    }
    for id in ["a b", "a.b", "ä", "a{{"] {
        finds_in_steps(json!([lua(id, json!({}))]), &[&format!("error invalid_id $.steps[0].id ({id})")]);
    }
    let long = "x".repeat(129);
    finds_in_steps(
        json!([lua(&long, json!({}))]),
        &[&format!("error invalid_id $.steps[0].id ({}…)", &long[..128])],
    );
    finds_in_steps(json!([lua("", json!({}))]), &["error invalid_id $.steps[0].id ()"]);
}

#[test]
fn names_have_1_to_200_characters() {
    for name in ["n", &"é".repeat(200)] {
        finds_in_steps(json!([lua("a", json!({ "name": name }))]), &[]);
    }
    for name in ["", "  ", &"n".repeat(201)] {
        finds_in_steps(
            json!([lua("a", json!({ "name": name }))]),
            &["error invalid_name $.steps[0].name (a)"],
        );
    }
}

#[test]
fn fields_that_do_not_exist_are_refused_with_what_may_have_been_meant() {
    let steps = json!([
        lua("a", json!({ "depend_on": [], "prompt": "p", "colour": "red", "metadata": { "colour": 1 } })),
        llm("b", "p", json!({ "llm_params": { "temprature": 1, "top_k": 1 } })),
        for_each("f", json!([lua("i", json!({ "scirpt": 1 }))]), json!({})),
    ]);
    let report = finds_in_steps(
        steps,
        &[
            "error unknown_field $.steps[0].colour (a)",
            "error unknown_field $.steps[0].depend_on (a)",
            "error unknown_field $.steps[0].prompt (a)",
            "error unknown_field $.steps[1].llm_params.temprature (b)",
            "error unknown_field $.steps[1].llm_params.top_k (b)",
            "error unknown_field $.steps[2].for_each_body_steps[0].scirpt (i)",
        ],
    );
    let suggestions: Vec<_> = report.issues.iter().map(|issue| issue.suggestion.as_str()).collect();
    assert_eq!(
        suggestions,
        [
            "remove it, or move it under metadata",
            "did you mean \"depends_on\"?",
            "only steps of type llm_call, agent_call have it",
            "did you mean \"temperature\"?",
            "did you mean \"top_p\"?",
            "did you mean \"script\"?",
        ]
    );
}

#[test]
fn what_exports_carry_is_accepted_and_other_keys_of_the_graph_are_not() {
    let mut graph = graph(json!([lua("a", json!({}))]));
    for key in ["tenant_id", "workflow_id", "params", "nodes", "edges"] {
        graph[key] = json!({ "any": "thing {{" });
    }
    finds(&graph, &[]);
    graph["input_shema"] = json!({});
    let report = finds(&graph, &["error unknown_field $.input_shema (-)"]);
    assert_eq!(report.issues[0].suggestion, "did you mean \"input_schema\"?");
}

#[test]
fn the_legacy_body_is_refused_by_name() {
    let step = json!({ "id": "f", "type": "for_each", "for_each_items": [1], "for_each_body": [],
                       "for_each_body_steps": [lua("i", json!({}))] });
    let report = finds_in_steps(json!([step]), &["error legacy_field $.steps[0].for_each_body (f)"]);
    assert!(report.issues[0].suggestion.contains("for_each_body_steps"));
}

#[test]
fn a_step_that_cannot_be_read_does_not_hide_the_others() {
    finds_in_steps(
        json!([{ "id": "x", "type": "sequence" }, lua("a", json!({ "depends_on": ["x"], "retry_count": 99 }))]),
        &["error unknown_type $.steps[0].type (x)", "error out_of_range $.steps[1].retry_count (a)"],
    );
}

#[test]
fn disabled_steps_are_pointed_out_inner_ones_too() {
    finds_in_steps(
        json!([
            lua("a", json!({ "enabled": false })),
            for_each("f", json!([lua("i", json!({ "enabled": false }))]), json!({})),
        ]),
        &[
            "warning step_disabled $.steps[0].enabled (a)",
            "warning step_disabled $.steps[1].for_each_body_steps[0].enabled (i)",
        ],
    );
}

#[test]
fn the_hash_is_that_of_the_graph() {
    let graph = scripts(2);
    assert_eq!(report(&graph).graph_hash, crate::graph_hash(&graph));
}
