use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{found, llm, lua, result};
use crate::validate::{CheckResult, Report, Request, validate};
use types::issue::Check;

fn run(steps: Value, params: Option<Value>, mocks: Value) -> Report {
    let graph = json!({ "steps": steps });
    validate(&Request {
        params: params.as_ref(),
        mock_step_outputs: mocks.as_object(),
        ..Request::new(&graph, &|_| true)
    })
}

fn script(id: &str, script: &str, needs: &[&str]) -> Value {
    super::with(lua(id, json!({ "depends_on": needs })), json!({ "script": script }))
}

#[test]
fn without_mock_outputs_no_script_is_run() {
    let graph = json!({ "steps": [script("a", "error('boom')", &[])] });
    let report = super::report(&graph);
    assert!(report.valid);
    assert_eq!(result(&report, Check::LuaFixture), CheckResult::Skipped);
}

#[test]
fn scripts_run_on_mocked_outputs_and_on_those_of_scripts_before_them() {
    let steps = json!([
        llm("ask", "p", json!({})),
        script(
            "parse",
            "assert(steps.ask.result.text == 'hi') return { n = #steps.ask.result.text }",
            &["ask"]
        ),
        script(
            "use",
            "assert(steps.parse.result.n == 2 and steps.parse.status == 'completed') return {}",
            &["parse"]
        ),
    ]);
    let report = run(steps, None, json!({ "ask": { "text": "hi" } }));
    assert_eq!(found(&report), Vec::<String>::new(), "{:?}", report.issues);
    assert_eq!(result(&report, Check::LuaFixture), CheckResult::Passed);
}

#[test]
fn a_given_output_stands_before_the_scripts_own() {
    let steps = json!([
        script("a", "return { n = 1 }", &[]),
        script("b", "assert(steps.a.result.n == 9) return {}", &["a"]),
    ]);
    assert_eq!(found(&run(steps, None, json!({ "a": { "n": 9 } }))), Vec::<String>::new());
}

#[test]
fn a_script_that_fails_is_an_error_with_its_code_and_line() {
    let steps = json!([
        script("a", "local t = nil\nreturn { t.x }", &[]),
        script("b", "return 5", &[]),
        script("c", "error('boom')", &[]),
    ]);
    let report = run(steps, None, json!({}));
    assert_eq!(
        found(&report),
        [
            "error lua_fixture_failed $.steps[0].script (a)",
            "error lua_fixture_failed $.steps[1].script (b)",
            "error lua_fixture_failed $.steps[2].script (c)",
        ]
    );
    assert!(report.issues[0].message.starts_with("LUA_ERROR: "), "{}", report.issues[0].message);
    assert!(report.issues[1].message.starts_with("LUA_RETURN_TYPE: "));
}

#[test]
fn scripts_see_the_params_with_their_defaults() {
    let graph = json!({
        "steps": [script("a", "assert(input.x == 1 and input.y == 2) return {}", &[])],
        "input_schema": { "properties": { "x": {}, "y": { "default": 2 } } },
    });
    let params = json!({ "x": 1 });
    let mocks = json!({});
    let report = validate(&Request {
        params: Some(&params),
        mock_step_outputs: mocks.as_object(),
        ..Request::new(&graph, &|_| true)
    });
    assert_eq!(found(&report), Vec::<String>::new());
}

#[test]
fn failing_on_an_input_that_nobody_gave_proves_nothing() {
    let steps = || json!([script("a", "return { input.order.id }", &[])]);
    assert_eq!(found(&run(steps(), None, json!({}))), ["warning lua_fixture_failed $.steps[0].script (a)"]);
    assert_eq!(
        found(&run(steps(), Some(json!({})), json!({}))),
        ["error lua_fixture_failed $.steps[0].script (a)"]
    );
}

#[test]
fn scripts_that_read_steps_without_an_output_are_not_run() {
    let steps = json!([
        llm("ask", "p", json!({})),
        script("a", "return { steps.ask.result.text.x }", &["ask"]),
        script("b", "return { steps.a.result.x }", &["a"]),
        script("free", "return {}", &["ask"]),
    ]);
    let report = run(steps, None, json!({}));
    assert_eq!(
        found(&report),
        [
            "warning lua_fixture_incomplete $.steps[1].script (a)",
            "warning lua_fixture_incomplete $.steps[2].script (b)"
        ]
    );
    assert!(report.issues[0].suggestion.contains("ask"));
}

#[test]
fn outputs_of_steps_that_do_not_exist_are_pointed_out() {
    let report = run(json!([lua("fetch", json!({}))]), None, json!({ "fecth": {}, "other one": {} }));
    assert_eq!(
        found(&report),
        [
            "warning mock_step_unknown $.mock_step_outputs.fecth (-)",
            "warning mock_step_unknown $.mock_step_outputs[\"other one\"] (-)",
        ]
    );
    assert_eq!(report.issues[0].suggestion, "did you mean \"fetch\"?");
}

#[test]
fn disabled_and_broken_scripts_are_not_run() {
    let mut off = script("off", "error('boom')", &[]);
    off["enabled"] = json!(false);
    let report = run(json!([off, script("broken", "return {", &[])]), None, json!({}));
    assert_eq!(
        found(&report),
        ["error lua_syntax $.steps[1].script (broken)", "warning step_disabled $.steps[0].enabled (off)"]
    );
}

#[test]
fn a_script_that_never_ends_is_stopped_by_its_own_timeout_and_all_by_the_allowance() {
    let endless = |id: &str, timeout: f64| {
        let mut step = script(id, "while true do end", &[]);
        step["timeout_s"] = json!(timeout);
        step
    };
    let report = run(json!([endless("a", 0.2)]), None, json!({}));
    assert!(report.issues[0].message.starts_with("LUA_TIMEOUT: "), "{:?}", report.issues);
    let started = Instant::now();
    let report = run(json!([endless("a", 0.6), endless("b", 0.6), endless("c", 0.6)]), None, json!({}));
    assert_eq!(
        found(&report),
        [
            "error lua_fixture_failed $.steps[0].script (a)",
            "warning lua_fixture_out_of_time $.steps[1].script (b)"
        ]
    );
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}
