//! Conditions as runs meet them: what they order, what they refuse to order, and what they say of it.

use it::{Run, TestApp, Workspace, graph, lua, repeat, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

fn gated(fields: &Value) -> Value {
    with(lua("step", "return { ran = true }"), fields)
}

/// What became of a run whose step has this condition, with this value as its `input.q`.
async fn ended(app: &TestApp, acme: &Workspace, condition: &str, q: Option<&Value>) -> Run {
    let input = q.map_or_else(|| json!({}), |q| json!({ "q": q }));
    let run = acme.begin(&graph([gated(&json!({ "condition": condition }))]), input).await;
    app.work().await;
    run
}

#[tokio::test]
async fn orders_convert_numeric_text_and_refuse_other_pairs() {
    let (app, acme) = acme().await;
    for (q, condition, ran) in [
        (Some(json!("10")), "> 5", true),
        (Some(json!("10")), "<= 5", false),
        (Some(json!(10)), "> \"9\"", true),
        (Some(json!("10")), "> \"9\"", true),
        (Some(json!("2026-11-30")), "< \"2026-12-01\"", true),
        (Some(json!(9_007_199_254_740_993_u64)), "> 9007199254740992.0", true),
        (Some(json!("10")), "== 10", false),
        (Some(json!("10")), "!= 10", true),
        (Some(Value::Null), "> 5", false),
        (Some(Value::Null), "<= 5", false),
        (None, "> 5", false),
        (None, "<= 5", false),
    ] {
        let run = ended(&app, &acme, &format!("{{{{ input.q }}}} {condition}"), q.as_ref()).await;
        let expected = if ran { "step completed" } else { "step condition_false" };
        assert_eq!(run.outcomes().await, [expected], "{q:?} {condition}");
    }
    for (q, kind) in [
        (json!("many secrets"), "a string that is no number"),
        (json!(""), "a string that is no number"),
        (json!(true), "a boolean"),
        (json!(["many secrets"]), "a list"),
        (json!({ "a": "many secrets" }), "an object"),
    ] {
        let run = ended(&app, &acme, "{{ input.q }} > 5", Some(&q)).await;
        let view = run.view().await;
        let known = (&view["status"], &view["failure_code"], &view["failed_step_id"]);
        assert_eq!(known, (&json!("failed"), &json!("TEMPLATE_UNRESOLVED"), &json!("step")), "{view:#}");
        let error = view["error"].as_str().unwrap();
        assert!(
            error.starts_with(&format!("condition: {{{{ input.q }}}} > …: {kind} and a number ")),
            "{error}"
        );
        assert!(!error.contains("many secrets"), "{error}");
    }
}

#[tokio::test]
async fn skip_when_and_while_condition_are_conditions_alike() {
    let (app, acme) = acme().await;
    let skipped = graph([gated(&json!({ "skip_when": "{{ input.q }} >= 5" }))]);
    let rounds = graph([repeat("step", 3, "{{ input.q }} >= 5", &[lua("inner", "return {}")])]);
    for (graph, field) in [(skipped, "skip_when"), (rounds, "while_condition")] {
        let run = acme.begin(&graph, json!({ "q": "7" })).await;
        app.work().await;
        match field {
            "skip_when" => assert_eq!(run.outcomes().await, ["step skip_when"]),
            _ => assert_eq!(run.result("step").await["iteration_count"], 1),
        }
        let run = acme.begin(&graph, json!({ "q": "seven" })).await;
        app.work().await;
        let view = run.view().await;
        assert_eq!(view["failure_code"], "TEMPLATE_UNRESOLVED", "{view:#}");
        let error = view["error"].as_str().unwrap();
        assert!(
            error.contains(&format!("{field}: {{{{ input.q }}}} >= …: a string that is no number")),
            "{error}"
        );
    }
    let kept = gated(&json!({ "condition": "{{ input.q }} > 5", "continue_on_error": true }));
    let run = acme.begin(&graph([kept]), json!({ "q": [] })).await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
}
