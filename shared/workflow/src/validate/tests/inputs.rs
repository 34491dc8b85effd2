use serde_json::{Value, json};

use super::{finds, found, llm, lua, report, result, with_params};
use crate::validate::CheckResult;
use types::issue::Check;

fn asks(expression: &str, schema: Value) -> Value {
    json!({ "steps": [llm("a", &format!("{{{{ {expression} }}}}"), json!({}))], "input_schema": schema })
}

fn schema() -> Value {
    json!({
        "type": "object", "required": ["needed", "deep"],
        "properties": {
            "needed": { "type": "string" }, "optional": { "type": "string" },
            "filled": { "type": "integer", "default": 3 },
            "object": { "type": "object", "default": { "x": 1 } },
            "deep": { "type": "object", "required": ["a"], "properties": { "a": {}, "b": { "default": 1 } } },
            "open": { "type": "object", "additionalProperties": true, "properties": { "a": {} } },
            "items": { "type": "array", "items": {}, "default": [] },
            "composed": { "anyOf": [{}], "properties": {} },
        },
    })
}

fn judged(expression: &str, expected: Option<&str>) {
    let report = report(&asks(expression, schema()));
    let codes: Vec<_> = report.issues.iter().map(|issue| issue.code).collect();
    assert_eq!(codes, expected.into_iter().collect::<Vec<_>>(), "{expression} {:?}", report.issues);
}

#[test]
fn what_the_schema_demands_or_fills_in_is_there() {
    for fine in
        ["input.needed", "input.filled", "input.object.x", "input.deep.a", "input", "input.needed.length"]
    {
        judged(fine, None);
    }
}

#[test]
fn what_the_schema_lets_out_may_be_unset() {
    for unsure in ["input.optional", "input.object.y", "input.deep.b", "input.open.a", "input.items.0"] {
        judged(unsure, Some("input_may_be_unset"));
    }
}

#[test]
fn what_the_schema_does_not_know_is_an_error_unless_it_says_that_there_may_be_more() {
    judged("input.nedeed", Some("input_unresolvable"));
    judged("input.deep.c", Some("input_unresolvable"));
    judged("input.open.anything", Some("input_may_be_unset"));
    judged("input.composed.anything", Some("input_may_be_unset"));
}

#[test]
fn a_fallback_or_another_root_satisfies() {
    for fine in [
        "input.nope | \"x\"",
        "input.nope | null",
        "input.nope | omit",
        "input.nope | run.external_user_id",
        "input.nope | input.needed",
    ] {
        judged(fine, None);
    }
    judged("input.nope | input.optional", Some("input_may_be_unset"));
    judged("input.nope | input.nada", Some("input_unresolvable"));
}

#[test]
fn conditions_may_ask_for_what_is_not_there() {
    let graph =
        json!({ "steps": [lua("a", json!({ "condition": "{{ input.nope }}" }))], "input_schema": schema() });
    finds(&graph, &[]);
}

#[test]
fn without_params_or_schema_the_input_is_not_judged() {
    let report = finds(&json!({ "steps": [llm("a", "{{ input.anything }}", json!({}))] }), &[]);
    assert_eq!(result(&report, Check::InputSchema), CheckResult::Skipped);
}

#[test]
fn params_decide_when_they_are_given() {
    let graph = json!({ "steps": [llm("a", "{{ input.x.y }} {{ input.z }}", json!({}))] });
    assert_eq!(found(&with_params(&graph, &json!({ "x": { "y": null }, "z": "" }))), Vec::<String>::new());
    assert_eq!(
        found(&with_params(&graph, &json!({ "x": {} }))),
        ["error input_unresolvable $.steps[0].prompt (a)", "error input_unresolvable $.steps[0].prompt (a)"]
    );
    let report = with_params(&asks("input.filled", schema()), &json!({ "needed": "x", "deep": { "a": 1 } }));
    assert_eq!(found(&report), Vec::<String>::new(), "defaults are filled in");
}

#[test]
fn an_entry_that_waits_for_its_grant_may_get_anything() {
    let entry = llm("a", "{{ input.event.id }}", json!({ "no_auto_start": true, "terminal": true }));
    let graph = json!({ "steps": [entry], "input_schema": schema() });
    finds(&graph, &[]);
    assert!(with_params(&graph, &json!({ "needed": "x", "deep": { "a": 1 } })).valid);
}

#[test]
fn params_are_checked_against_the_schema() {
    let graph = json!({ "steps": [lua("a", json!({}))], "input_schema": schema() });
    assert_eq!(
        found(&with_params(&graph, &json!({ "needed": 5, "deep": {} }))),
        ["error input_invalid $.params.deep (-)", "error input_invalid $.params.needed (-)"]
    );
    assert_eq!(found(&with_params(&graph, &json!([]))), ["error input_invalid $.params (-)"]);
    let fine = with_params(&graph, &json!({ "needed": "x", "deep": { "a": 1 } }));
    assert_eq!(result(&fine, Check::InputSchema), CheckResult::Passed);
}

#[test]
fn a_schema_that_is_none_is_refused() {
    let graph = |schema: Value| json!({ "steps": [lua("a", json!({}))], "input_schema": schema });
    finds(
        &graph(json!({ "type": "objekt", "properties": { "a b": { "minimum": "x" } } })),
        &[
            "error invalid_schema $.input_schema.properties[\"a b\"].minimum (-)",
            "error invalid_schema $.input_schema.type (-)",
        ],
    );
    finds(
        &graph(json!({ "properties": { "a": { "$ref": "https://example.com/x.json" } } })),
        &["error invalid_schema $.input_schema.properties.a.$ref (-)"],
    );
    finds(&graph(json!("x")), &["error invalid_type $.input_schema (-)"]);
}

#[test]
fn defaults_satisfy_their_own_schema() {
    let graph = json!({ "steps": [lua("a", json!({}))], "input_schema": {
        "$defs": { "level": { "enum": ["low", "high"] } },
        "properties": {
            "good": { "$ref": "#/$defs/level", "default": "low" },
            "bad": { "$ref": "#/$defs/level", "default": "middle" },
            "list": { "items": { "type": "string" }, "default": ["a", 1] },
        },
        "required": ["something else"],
    } });
    finds(
        &graph,
        &[
            "error default_violates_schema $.input_schema.properties.bad.default (-)",
            "error default_violates_schema $.input_schema.properties.list.default[1] (-)",
        ],
    );
}
