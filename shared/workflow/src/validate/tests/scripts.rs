use serde_json::{Value, json};

use super::{finds_in_steps, for_each, lua, while_loop};

fn script(id: &str, script: &str, more: Value) -> Value {
    super::with(lua(id, more), json!({ "script": script }))
}

#[test]
fn a_script_that_does_not_compile_names_the_line() {
    let report = finds_in_steps(
        json!([
            script("a", "local x = 1\nreturn { x = }", json!({})),
            for_each("f", json!([script("i", "return }", json!({}))]), json!({})),
            while_loop(
                "w",
                json!([lua("j", json!({}))]),
                json!({ "while_condition": null, "while_eval_script": "if" })
            ),
        ]),
        &[
            "error lua_syntax $.steps[0].script (a)",
            "error lua_syntax $.steps[1].for_each_body_steps[0].script (i)",
            "error lua_syntax $.steps[2].while_eval_script (w)",
        ],
    );
    assert!(report.issues[0].message.starts_with("line 2: "), "{}", report.issues[0].message);
}

#[test]
fn reading_a_step_that_is_not_settled_before_is_pointed_out() {
    let report = finds_in_steps(
        json!([
            lua("fetch-pr", json!({})),
            lua("aside", json!({})),
            lua("barred", json!({})),
            script(
                "a",
                r#"return { steps.fetch_pr.result, steps["fetch-pr"], steps.aside, steps.asied, steps.barred }"#,
                json!({ "depends_on": ["fetch-pr", "barred"], "input_allowlist": ["fetch-pr"] }),
            ),
        ]),
        &[
            "warning lua_step_not_ancestor $.steps[3].script (a)",
            "warning lua_step_not_found $.steps[3].script (a)",
            "warning lua_step_not_allowed $.steps[3].script (a)",
        ],
    );
    assert!(report.valid);
    assert_eq!(report.issues[1].suggestion, "did you mean \"aside\"?");
}

#[test]
fn scripts_in_bodies_may_name_inner_steps() {
    let body =
        json!([lua("one", json!({})), script("two", "return { steps.one.input, steps.nope }", json!({}))]);
    finds_in_steps(
        json!([for_each("f", body, json!({}))]),
        &["warning lua_step_not_found $.steps[0].for_each_body_steps[1].script (two)"],
    );
}

#[test]
fn scripts_that_look_for_themselves_are_left_alone() {
    finds_in_steps(
        json!([script("a", "local r = {} for k in pairs(steps) do r[k] = 1 end return r", json!({}))]),
        &[],
    );
}

#[test]
fn literals_beyond_2_53_are_warned_of() {
    let report = finds_in_steps(
        json!([
            script("a", "local x = 12\nreturn { same = input.id == 9007199254740993 }", json!({})),
            script(
                "b",
                "return { a = 9007199254740992, b = '9007199254740993' } -- 9007199254740993",
                json!({})
            ),
        ]),
        &["warning lua_number_inexact $.steps[0].script (a)"],
    );
    assert!(report.valid);
    let issue = &report.issues[0];
    assert!(issue.message.starts_with("line 2: 9007199254740993 is beyond 2^53"), "{}", issue.message);
    assert!(issue.message.contains("9007199254740992"), "{}", issue.message);
    assert!(issue.suggestion.contains("json.decode"), "{}", issue.suggestion);
}
