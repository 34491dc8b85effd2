//! Templates as authors meet them through the API: what validation refuses, and what it suggests.

use it::{Models, TestApp, call, for_each, graph, human, lua, openai_says, tool_call, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;

use crate::llm_wire::ask;

#[tokio::test]
async fn templates_in_keys_are_refused_wherever_fields_are_expanded() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let keyed = json!({ "a": [{ "{{ input.team }}": "yes" }], "x {{{{": 1 });
    let tool = |id: &str| tool_call(id, &[], "i", "t", &keyed);
    let steps = [
        tool("tool"),
        with(human("person", &[]), &json!({ "task_payload": keyed })),
        call("child", &[], "w", &keyed),
        ask("direct.openai.gpt-4.1", &json!({ "output_schema": { "properties": keyed } })),
        for_each("each", &json!([keyed]), &[tool("inner")]),
        with(lua("plain", "return {}"), &json!({ "metadata": keyed })),
    ];
    let graph = graph(steps);
    let report = acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await.expect(200);
    let issues =
        report["issues"].as_array().unwrap().iter().filter(|issue| issue["code"] == "template_in_key");
    let paths: Vec<&str> = issues.clone().map(|issue| issue["json_path"].as_str().unwrap()).collect();
    for field in [
        "$.steps[0].tool_args",
        "$.steps[1].task_payload",
        "$.steps[2].input",
        "$.steps[3].output_schema.properties",
        "$.steps[4].for_each_items[0]",
        "$.steps[4].for_each_body_steps[0].tool_args",
    ] {
        for key in [".a[0][\"{{ input.team }}\"]", "[\"x {{{{\"]"] {
            assert!(paths.contains(&&*format!("{field}{key}")), "{field}{key} in {paths:#?}");
        }
    }
    assert_eq!(paths.len(), 12, "{paths:#?}");
    for issue in issues {
        assert_eq!(issue["severity"], "error");
        assert!(issue["suggestion"].as_str().unwrap().contains("lua_script"), "{issue:#}");
    }
    let id = acme.create(&graph).await;
    let refused = acme.client.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await;
    assert!(refused.refused(422, "GRAPH_INVALID")["issues"].to_string().contains("template_in_key"));
}

#[tokio::test]
async fn keys_that_paths_cannot_write_are_led_to_a_way() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for (text, named) in [
        ("{{ steps.a.result.items[0] }}", "write steps.a.result.items.0"),
        ("{{ steps.a.result[\"title\"] }}", "write steps.a.result.title"),
        ("{{ steps.a.result['title'] }}", "write steps.a.result.title"),
        ("{{ input[\"a b\"] }}", "return { value = input[\"a b\"] }"),
        ("{{ input.first name }}", "return { value = input[\"first name\"] }"),
        ("{{ input.x | input.list.0.first name.y }}", "return { value = input.list[1][\"first name\"] }"),
        ("{{ input.a/b }}", "return { value = input[\"a/b\"] }"),
        ("{{ input.\"a b\" }}", "lua_script"),
        ("{{ input.n + 1 }}", "lua_script"),
        ("{{ input or 1 }}", "{{ input | \"x\" }}"),
    ] {
        let step =
            ask("direct.openai.gpt-4.1", &json!({ "prompt": text, "condition": text, "depends_on": ["a"] }));
        let graph = graph([lua("a", "return {}"), step]);
        let report = acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await.expect(200);
        let issues = report["issues"].as_array().unwrap();
        let codes: Vec<&Value> = issues.iter().map(|issue| &issue["code"]).collect();
        assert!(
            codes.contains(&&json!("template_syntax")) && codes.contains(&&json!("condition_syntax")),
            "{report:#}"
        );
        for issue in issues.iter().filter(|issue| issue["code"].as_str().unwrap().ends_with("_syntax")) {
            assert!(issue["suggestion"].as_str().unwrap().contains(named), "{text}: {issue:#}");
        }
    }
}

#[tokio::test]
async fn orders_that_nothing_satisfies_and_literals_too_large_are_refused() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for (condition, code) in [
        ("{{ input.x }} > true", "condition_unordered"),
        ("{{ input.x }} <= null", "condition_unordered"),
        ("{{ input.x }} < [1]", "condition_unordered"),
        ("{{ input.x }} == 18446744073709551616", "condition_syntax"),
        ("{{ input.x | 1e400 }}", "condition_syntax"),
    ] {
        let graph = graph([with(lua("a", "return {}"), &json!({ "condition": condition }))]);
        let report = acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await.expect(200);
        assert_eq!(report["issues"][0]["code"], code, "{report:#}");
    }
}

#[tokio::test]
async fn a_prompt_that_is_one_expression_is_rendered_as_json() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([openai_says("ok", 1, 1)]).await;
    acme.openai_key(&models, "sk-test-0123456789abcdef").await;
    let step = ask("direct.openai.gpt-4.1", &json!({ "prompt": "{{ input.o }}", "system": "{{ input.s }}" }));
    let workflow = acme.publish(&graph([step])).await;
    for (given, shown) in [
        (json!({ "b": [1, 2.5, null], "a": "x" }), r#"{"a":"x","b":[1,2.5,null]}"#),
        (json!([true]), "[true]"),
        (json!(7), "7"),
        (json!("text"), "text"),
        (json!({ "t": "{{ input.secret }}" }), r#"{"t":"{{ input.secret }}"}"#),
    ] {
        let run = acme.begin_again(&workflow, json!({ "o": given, "s": given })).await;
        let view = run.finished().await;
        assert_eq!(view["status"], "completed", "{view:#}");
        let sent = models.bodies().await.pop().unwrap();
        let contents: Vec<&Value> =
            sent["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
        assert_eq!(contents, [shown, shown]);
        let context = acme.client.get(&run.path("/context")).await.expect(200);
        assert_eq!(context["steps"]["ask"]["input"]["prompt"], shown, "{context:#}");
    }
    let run = acme.begin_again(&workflow, json!({ "o": "x", "s": null })).await;
    assert_eq!(run.finished().await["status"], "completed");
    let run = acme.begin_again(&workflow, json!({ "o": null, "s": null })).await;
    let view = run.finished().await;
    assert_eq!(view["failure_code"], "TEMPLATE_UNRESOLVED", "{view:#}");
}
