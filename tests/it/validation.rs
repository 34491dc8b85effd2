//! The dry run and the language's schema, over HTTP. What each check finds is tested where the checks are.

use it::{TestApp, Workspace, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::workflow::{graph_schema, json_schema};

const CHECKS: [&str; 9] = [
    "graph",
    "dependencies",
    "step_config",
    "templates",
    "lua_syntax",
    "mcp_bindings",
    "disabled_steps",
    "input_schema",
    "lua_fixture",
];

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

async fn validate(acme: &Workspace, body: Value) -> Value {
    acme.client.post("/v1/workflows/validate", &body).await.expect(200)
}

fn codes(report: &Value) -> Vec<&str> {
    report["issues"].as_array().unwrap().iter().map(|issue| issue["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_report_says_what_was_checked_and_what_was_found() {
    let (_app, acme) = acme().await;
    let cycle = graph([lua_after("a", &["b"], "return {}"), lua_after("b", &["a"], "return {}")]);
    let report = validate(&acme, json!({ "graph": cycle })).await;
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["check_results", "checks_performed", "graph_hash", "issues", "readiness", "valid"],
        "{report:#}"
    );
    assert_eq!((&report["valid"], &report["readiness"]), (&json!(false), &json!("blocked")));
    assert_eq!(report["checks_performed"], json!(CHECKS));
    let hash = report["graph_hash"].as_str().unwrap();
    assert!(hash.starts_with("sha256:") && hash.len() == 71);
    let results = report["check_results"].as_object().unwrap();
    assert_eq!(results.len(), CHECKS.len());
    assert_eq!((&results["graph"], &results["dependencies"]), (&json!("passed"), &json!("failed")));
    let issues = report["issues"].as_array().unwrap();
    assert_eq!(issues.len(), 1, "{report:#}");
    let issue = issues[0].as_object().unwrap();
    let keys: Vec<&String> = issue.keys().collect();
    assert_eq!(keys, ["check", "code", "json_path", "message", "severity", "step_id", "suggestion"]);
    let head = ["severity", "check", "code"].map(|key| issue[key].as_str().unwrap());
    assert_eq!(head, ["error", "dependencies", "dependency_cycle"]);
    let step = issue["step_id"].as_str().unwrap();
    let place = if step == "a" { "$.steps[0].depends_on[0]" } else { "$.steps[1].depends_on[0]" };
    assert_eq!(issue["json_path"], place);
    let message = issue["message"].as_str().unwrap();
    assert!(message.contains('a') && message.contains('b'), "the cycle is printed: {message}");
}

#[tokio::test]
async fn a_valid_graph_is_ready() {
    let (_app, acme) = acme().await;
    let graph = graph([lua("a", "return {}"), lua_after("b", &["a"], "return { n = steps.a.result }")]);
    let report = validate(&acme, json!({ "graph": graph })).await;
    assert_eq!((&report["valid"], &report["readiness"]), (&json!(true), &json!("ready")));
    assert_eq!(report["issues"], json!([]));
    let id = acme.publish(&graph).await;
    let version = acme.client.get(&format!("/v1/workflows/{id}/versions/1")).await.expect(200);
    assert_eq!(version["graph_hash"], report["graph_hash"], "the hash is the version's");
}

#[tokio::test]
async fn every_issue_is_reported_not_only_the_first() {
    let (_app, acme) = acme().await;
    let mut bad = lua_after("b", &["gone"], "no lua");
    bad["timeout_s"] = json!(31);
    bad["condition"] = json!("{{ steps.nobody.result }}");
    bad["extra"] = json!(true);
    let report = validate(&acme, json!({ "graph": graph([bad]) })).await;
    let codes = codes(&report);
    for code in ["unknown_field", "unknown_dependency", "out_of_range", "step_not_found", "lua_syntax"] {
        assert!(codes.contains(&code), "{code} in {report:#}");
    }
}

#[tokio::test]
async fn an_unreadable_graph_is_a_report_too() {
    let (_app, acme) = acme().await;
    for graph in [json!({}), json!([]), json!("x"), json!({ "steps": [1] })] {
        let report = validate(&acme, json!({ "graph": graph })).await;
        assert_eq!((&report["valid"], &report["check_results"]["graph"]), (&json!(false), &json!("failed")));
    }
}

#[tokio::test]
async fn the_saved_draft_is_checked_unless_a_graph_is_given() {
    let (_app, acme) = acme().await;
    let id = acme.create(&graph([lua("a", "no lua")])).await;
    let path = format!("/v1/workflows/{id}/validate");
    let saved = acme.client.post(&path, &json!({})).await.expect(200);
    assert_eq!(codes(&saved), ["lua_syntax"]);
    let inline = json!({ "graph": graph([lua("a", "return {}")]) });
    assert_eq!(acme.client.post(&path, &inline).await.expect(200)["valid"], true);
    let draft = acme.client.get(&format!("/v1/workflows/{id}")).await.expect(200);
    assert_eq!(draft["graph"], graph([lua("a", "no lua")]), "a dry run saves nothing");
    let missing = acme.client.post("/v1/workflows/validate", &json!({})).await;
    let missing = missing.refused(422, "INVALID_REQUEST");
    assert!(missing["error"].as_str().unwrap().starts_with("graph:"), "{missing:#}");
}

#[tokio::test]
async fn params_satisfy_references_and_the_schema_or_do_not() {
    let (_app, acme) = acme().await;
    let mut step = lua("a", "return {}");
    step["condition"] = json!("{{ input.order }}");
    let mut graph = graph([step]);
    graph["input_schema"] =
        json!({ "type": "object", "properties": { "order": { "type": "string" } }, "required": ["order"] });
    let with = async |params: Value| validate(&acme, json!({ "graph": graph, "params": params })).await;
    assert_eq!(with(json!({ "order": "1" })).await["valid"], true);
    let wrong = with(json!({ "order": 1 })).await;
    assert_eq!(wrong["check_results"]["input_schema"], "failed", "{wrong:#}");
    let missing = with(json!({})).await;
    assert!(codes(&missing).contains(&"input_invalid"), "{missing:#}");
}

#[tokio::test]
async fn scripts_are_run_on_mocked_outputs() {
    let (_app, acme) = acme().await;
    let graph = graph([
        lua("fetch", "return {}"),
        lua_after("sum", &["fetch"], "return { n = steps.fetch.result.a + steps.fetch.result.b }"),
    ]);
    let with = async |mocks: Value| {
        let body = json!({ "graph": graph, "mock_step_outputs": mocks });
        validate(&acme, body).await
    };
    let good = with(json!({ "fetch": { "a": 1, "b": 2 } })).await;
    assert_eq!(good["check_results"]["lua_fixture"], "passed", "{good:#}");
    let bad = with(json!({ "fetch": { "a": 1, "b": {} } })).await;
    assert_eq!((&bad["valid"], &bad["check_results"]["lua_fixture"]), (&json!(false), &json!("failed")));
    let issue = &bad["issues"][0];
    assert_eq!((&issue["code"], &issue["step_id"]), (&json!("lua_fixture_failed"), &json!("sum")), "{bad:#}");
    assert!(issue["message"].as_str().unwrap().contains("line 1"), "{bad:#}");
    let unknown = with(json!({ "fetsh": {} })).await;
    assert!(codes(&unknown).contains(&"mock_step_unknown"), "{unknown:#}");
}

#[tokio::test]
async fn a_fixture_that_never_ends_is_ended() {
    let (_app, acme) = acme().await;
    let mut endless = lua("a", "while true do end");
    endless["timeout_s"] = json!(0.1);
    let body = json!({ "graph": graph([endless]), "mock_step_outputs": {} });
    let report = validate(&acme, body).await;
    assert_eq!(report["issues"][0]["check"], "lua_fixture", "{report:#}");
}

#[tokio::test]
async fn the_schema_is_one_and_accepts_what_the_documentation_shows() {
    let (app, acme) = acme().await;
    app.anyone.get("/v1/workflows/schema").await.refused(401, "UNAUTHENTICATED");
    let schema = acme.client.get("/v1/workflows/schema").await.expect(200);
    assert_eq!(schema, graph_schema());
    assert_eq!(json_schema::problems(&schema), []);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let documented = json!({ "steps": [{ "id": "echo", "type": "lua_script", "name": "Echo", "timeout_s": 10,
                                         "script": "return { message = 'ok', input = input }" }] });
    json_schema::check(&schema, &documented).unwrap();
    for wrong in [json!({}), json!({ "steps": [{ "id": "a", "type": "lua_script" }] }), json!([])] {
        json_schema::check(&schema, &wrong).unwrap_err();
    }
}
