use serde_json::{Value, json};

use super::{finds_in_steps, for_each, llm, lua, report, while_loop};

#[test]
fn a_template_that_does_not_parse_names_the_field_at_any_depth() {
    let mcp = json!({ "id": "b", "type": "mcp_call", "tool_name": "t", "instance_id": "i",
                      "tool_args": { "items": [{ "a b": "{{ input.x" }], "ok": "{{ input.y }}" } });
    let report = finds_in_steps(
        json!([llm("a", "{{ {{ x }} }}", json!({ "system": "{{ 1 | input.x }}" })), mcp]),
        &[
            "error template_syntax $.steps[0].prompt (a)",
            "error template_syntax $.steps[0].system (a)",
            "error template_syntax $.steps[1].tool_args.items[0][\"a b\"] (b)",
        ],
    );
    assert_eq!(report.issues[0].message, "`{{` inside an expression (at byte 3)");
}

#[test]
fn scripts_ids_and_metadata_are_no_templates() {
    finds_in_steps(
        json!([lua("a", json!({ "script": "return {{1}, {2}}", "metadata": { "x": "{{" }, "name": "{{" }))]),
        &[],
    );
}

#[test]
fn ids_take_no_expression() {
    finds_in_steps(
        json!([
            { "id": "a", "type": "workflow_call", "workflow_id": "{{ input.w }}", "output_from": "{{ input.s }}" },
            { "id": "b", "type": "mcp_call", "instance_id": "{{ input.i }}", "tool_name": "{{ input.t }}" },
            { "id": "c", "type": "agent_call", "agent_id": "{{ input.a }}", "prompt": "p" },
            llm("d", "p", json!({ "llm_credential_id": "{{ input.c }}", "model": "{{ input.m }}" })),
        ]),
        &[
            "error template_not_allowed $.steps[0].workflow_id (a)",
            "error template_not_allowed $.steps[0].output_from (a)",
            "error template_not_allowed $.steps[1].instance_id (b)",
            "error template_not_allowed $.steps[2].agent_id (c)",
            "error template_not_allowed $.steps[3].llm_credential_id (d)",
        ],
    );
}

#[test]
fn conditions_are_checked_wherever_they_stand() {
    let body = json!([lua("i", json!({ "condition": "{{ x" }))]);
    finds_in_steps(
        json!([
            lua(
                "a",
                json!({ "condition": "{{ input.x }} == y", "skip_when": "{{ input.x }} && {{ input.y }}" })
            ),
            while_loop("w", body, json!({ "while_condition": "not {{ body.i.x }}" })),
        ]),
        &[
            "error condition_syntax $.steps[0].condition (a)",
            "error condition_syntax $.steps[0].skip_when (a)",
            "error condition_syntax $.steps[1].while_condition (w)",
            "error condition_syntax $.steps[1].while_body_steps[0].condition (i)",
        ],
    );
}

#[test]
fn a_condition_that_never_changes_is_pointed_out() {
    finds_in_steps(
        json!([lua("a", json!({ "condition": "input.x == 5", "skip_when": "false" }))]),
        &[
            "warning constant_condition $.steps[0].condition (a)",
            "warning constant_condition $.steps[0].skip_when (a)",
        ],
    );
}

#[test]
fn a_good_graph_with_every_root_passes() {
    let roots = "{{ input.a }} {{ input }} {{ steps.a.result.x.0 }} {{ steps.a.input.y | steps.a.error }} \
                 {{ steps.a.status }} {{ run.run_id }} {{ run.external_user_id | omit }} {{ run }} \
                 {{ connection.provider }} {{ connection.by_instance.0b1e-4c.login }}";
    let in_each = "{{ item.x }} {{ index }} {{ foreach.item.y }} {{ foreach.index }} {{ steps.f.item.z }} \
                   {{ body.i.result.x }} {{ body.i.x }} {{ steps.i.input.y }} {{ steps.a.result }}";
    let in_while = "{{ while.iteration }} {{ while.prev.j.x | body.i.x }} {{ while.prev.k.x | 1 }}";
    finds_in_steps(
        json!([
            lua("a", json!({})),
            llm("b", roots, json!({ "depends_on": ["a"] })),
            for_each(
                "f",
                json!([lua("i", json!({})), llm("j2", in_each, json!({}))]),
                json!({ "depends_on": ["a"], "for_each_items": "{{ steps.a.result.items }}" })
            ),
            while_loop(
                "w",
                json!([lua("k", json!({})), llm("j", "{{ body.k.x }} {{ while.prev.j.x }}", json!({}))]),
                json!({ "while_condition": "{{ body.j.done | while.prev.j.done | steps.a.result }}",
                               "depends_on": ["a"] })
            ),
            while_loop(
                "v",
                json!([lua("i3", json!({})), lua("j3", json!({ "condition": "{{ body.i3.x }}" }))]),
                json!({})
            ),
        ]),
        &[],
    );
    let issues = report(&json!({ "steps": [llm("x", in_while, json!({}))] })).issues;
    assert!(issues.iter().all(|issue| issue.code == "root_not_available"), "{issues:?}");
    assert_eq!(issues.len(), 4);
}

#[test]
fn every_issue_of_one_text_is_reported() {
    let steps: Value = json!([llm("a", "{{ nope.x }} {{ steps.b.result | steps.c.result }}", json!({}))]);
    finds_in_steps(
        steps,
        &[
            "error unknown_root $.steps[0].prompt (a)",
            "error step_not_found $.steps[0].prompt (a)",
            "error step_not_found $.steps[0].prompt (a)",
        ],
    );
}
