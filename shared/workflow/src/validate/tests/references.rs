use serde_json::{Value, json};

use super::{finds_in_steps, for_each, llm, lua, while_loop};

/// One expression in a step that waits for `a`, beside a step that it does not wait for.
fn one(expression: &str, expected: Option<(&str, &str)>) {
    let prompt = format!("{{{{ {expression} }}}}");
    let steps = json!([
        lua("first", json!({})),
        lua("a", json!({ "depends_on": ["first"] })),
        lua("aside", json!({})),
        llm("b", &prompt, json!({ "depends_on": ["a"] })),
        for_each("f", json!([lua("inner", json!({}))]), json!({})),
    ]);
    match expected {
        None => drop(finds_in_steps(steps, &[])),
        Some((code, suggestion)) => {
            let report = finds_in_steps(steps, &[&format!("error {code} $.steps[3].prompt (b)")]);
            let found = &report.issues[0].suggestion;
            assert!(found.contains(suggestion), "{expression}: {found}");
        }
    }
}

#[test]
fn steps_are_readable_when_they_are_settled_before() {
    one("steps.a.result.x", None);
    one("steps.first.result.x", None);
    one("steps.aside.result.x", Some(("step_not_ancestor", "depends_on")));
    one("steps.b.result.x", Some(("step_not_ancestor", "depends_on")));
    one("steps.frist.result.x", Some(("step_not_found", "did you mean \"first\"?")));
    one("steps.entirely-else.result", Some(("step_not_found", "waits for")));
    one("steps.inner.result", Some(("step_not_found", "steps.f.result")));
    one("steps.aside.result | \"a default\"", Some(("step_not_ancestor", "depends_on")));
}

#[test]
fn only_known_parts_of_a_step_are_readable() {
    one("steps.a.output.x", Some(("unknown_reference", "it has result, input, status, error")));
    one("steps.a.reslut", Some(("unknown_reference", "did you mean \"result\"?")));
    one("steps.a", Some(("unknown_reference", "result")));
    one("steps", Some(("unknown_reference", "steps.<id>.result")));
    one("steps.a.item", Some(("unknown_reference", "result")));
}

#[test]
fn roots_and_their_fields_are_known() {
    one("inputs.x", Some(("unknown_root", "did you mean \"input\"?")));
    one("human.x", Some(("unknown_root", "paths begin with")));
    one("loop.iteration", Some(("unknown_root", "paths begin with")));
    one("run.run_id", None);
    one("run.runid", Some(("unknown_reference", "did you mean \"run_id\"?")));
    one(
        "connection.access_token",
        Some(("unknown_reference", "connection_id, provider, provider_account_key")),
    );
    one("item.x", Some(("root_not_available", "input or steps")));
    one("body.inner.x", Some(("root_not_available", "input or steps")));
    one("while.iteration", Some(("root_not_available", "input or steps")));
}

#[test]
fn the_allowlist_narrows_what_templates_may_read() {
    let steps = |expression: &str| {
        json!([
            lua("a", json!({})),
            lua("b", json!({})),
            llm("c", expression, json!({ "depends_on": ["a", "b"], "input_allowlist": ["a"] })),
            for_each(
                "f",
                json!([llm("i", expression, json!({}))]),
                json!({ "depends_on": ["a", "b"], "input_allowlist": ["a"] })
            ),
            for_each(
                "g",
                json!([llm("j", expression, json!({ "input_allowlist": ["a"] }))]),
                json!({ "depends_on": ["a", "b"] })
            ),
        ])
    };
    finds_in_steps(steps("{{ steps.a.result }}"), &[]);
    finds_in_steps(
        steps("{{ steps.b.result }}"),
        &[
            "error step_not_allowed $.steps[2].prompt (c)",
            "error step_not_allowed $.steps[3].for_each_body_steps[0].prompt (i)",
            "error step_not_allowed $.steps[4].for_each_body_steps[0].prompt (j)",
        ],
    );
}

/// One expression in the second of three inner steps.
fn inside(of: fn(&str, Value, Value) -> Value, expression: &str, expected: Option<&str>) {
    let prompt = format!("{{{{ {expression} }}}}");
    let body = json!([lua("one", json!({})), llm("two", &prompt, json!({})), lua("three", json!({}))]);
    let steps = json!([
        lua("before", json!({})),
        lua("aside", json!({})),
        of("loop", body, json!({ "depends_on": ["before"] })),
    ]);
    let report = super::report(&json!({ "steps": steps }));
    let codes: Vec<_> = report.issues.iter().map(|issue| issue.code).collect();
    assert_eq!(codes, expected.into_iter().collect::<Vec<_>>(), "{expression}");
}

#[test]
fn inner_steps_read_what_their_loop_may_and_what_ran_before_them() {
    for of in [for_each, while_loop] {
        inside(of, "steps.before.result", None);
        inside(of, "body.one.result.x", None);
        inside(of, "steps.one.input.x", None);
        inside(of, "steps.one.status", None);
        inside(of, "steps.one.error.code", None);
        inside(of, "steps.aside.result", Some("step_not_ancestor"));
        inside(of, "steps.loop.result", Some("step_not_ancestor"));
        inside(of, "body.two.x", Some("body_step_not_earlier"));
        inside(of, "body.three.x", Some("body_step_not_earlier"));
        inside(of, "steps.three.input.x", Some("body_step_not_earlier"));
        inside(of, "steps.one.result.x", Some("unknown_reference"));
        inside(of, "body.nope.x", Some("body_step_not_found"));
        inside(of, "body.before.x", Some("body_step_not_found"));
    }
}

#[test]
fn each_loop_has_roots_of_its_own() {
    inside(for_each, "item", None);
    inside(for_each, "foreach.index", None);
    inside(for_each, "steps.loop.item.x", None);
    inside(for_each, "foreach.count", Some("unknown_reference"));
    inside(for_each, "while.iteration", Some("root_not_available"));
    inside(while_loop, "while.prev.three.x", None);
    inside(while_loop, "while.prev", None);
    inside(while_loop, "while.iterations", Some("unknown_reference"));
    inside(while_loop, "while.prev.nope.x", Some("body_step_not_found"));
    inside(while_loop, "item.x", Some("root_not_available"));
    inside(while_loop, "steps.loop.item", Some("step_not_ancestor"));
}

#[test]
fn inner_dependencies_decide_what_ran_before() {
    let body = json!([
        llm("late", "{{ body.early.text }}", json!({ "depends_on": ["early"] })),
        llm("early", "{{ body.late.text }}", json!({})),
    ]);
    finds_in_steps(
        json!([for_each("f", body, json!({}))]),
        &["error body_step_not_earlier $.steps[0].for_each_body_steps[1].prompt (early)"],
    );
}

#[test]
fn a_loops_own_fields_see_no_round_but_its_condition_does() {
    let body = json!([lua("i", json!({}))]);
    finds_in_steps(
        json!([for_each(
            "f",
            body.clone(),
            json!({ "for_each_items": "{{ item }}", "condition": "{{ body.i.x }}" })
        )]),
        &[
            "error root_not_available $.steps[0].for_each_items (f)",
            "error root_not_available $.steps[0].condition (f)",
        ],
    );
    let condition = |text: &str| json!({ "while_condition": text });
    finds_in_steps(json!([while_loop("w", body.clone(), condition("{{ body.i.x }} >= 1"))]), &[]);
    finds_in_steps(
        json!([while_loop("w", body, condition("{{ body.j.x }}"))]),
        &["error body_step_not_found $.steps[0].while_condition (w)"],
    );
}
