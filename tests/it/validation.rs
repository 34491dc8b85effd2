//! The dry run and the language's schema, over HTTP. What each check finds is tested where the checks are.

use it::{TestApp, Workspace, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::json_schema;
use shared::types::clock::Clock;
use shared::workflow::{graph_hash, graph_schema};

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
        [
            "blockers",
            "check_results",
            "checks_performed",
            "graph_hash",
            "issues",
            "readiness",
            "topological_order",
            "valid",
            "validation_evidence"
        ],
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
    assert_eq!((&report["blockers"], &report["topological_order"]), (&report["issues"], &json!([])));
    let evidence = &report["validation_evidence"];
    for key in ["graph_hash", "readiness", "checks_performed"] {
        assert_eq!(evidence[key], report[key]);
    }
    assert_eq!(evidence["workflow_graph_schema_hash"], graph_hash(&graph_schema()));
    assert!(evidence["validated_at"].as_str().unwrap().ends_with('Z'), "{evidence:#}");
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
    assert_eq!((&report["issues"], &report["blockers"]), (&json!([]), &json!([])));
    assert_eq!(report["topological_order"], json!(["a", "b"]));
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

/// A step that needs `input.topic`, one that needs `input.limit`, and one that waits for a grant and needs `input.text`.
fn asks() -> Value {
    let title = |id: &str, key: &str| {
        json!({ "id": id, "type": "human_task", "task_type": "t",
                "task_payload": { "title": format!("{{{{ input.{key} }}}}") } })
    };
    let gated = json!({ "no_auto_start": true, "terminal": true });
    graph([title("topic", "topic"), title("limit", "limit"), it::with(title("gated", "text"), &gated)])
}

#[tokio::test]
async fn params_with_a_payload_inside_are_those_of_a_start() {
    let (_app, acme) = acme().await;
    let with =
        async |field: &str, params: Value| validate(&acme, json!({ "graph": asks(), field: params })).await;
    for field in ["params", "payload"] {
        let whole = json!({ "trigger_payload": { "topic": "t", "limit": 1 }, "trigger_type": "manual" });
        assert_eq!(codes(&with(field, whole).await), [""; 0]);
        let input = json!({ "topic": "t", "limit": 1 });
        assert_eq!(codes(&with(field, input).await), [""; 0]);
        let overlaid =
            json!({ "trigger_payload": { "topic": "t" }, "trigger_steps": { "limit": { "limit": 1 } } });
        assert_eq!(codes(&with(field, overlaid).await), [""; 0]);
        let one_only = json!({ "topic": "t", "trigger_steps": { "limit": { "limit": 1 } } });
        assert_eq!(codes(&with(field, one_only).await), [""; 0]);
        let missing = with(field, json!({ "trigger_payload": { "limit": 1 }, "topic": null })).await;
        assert_eq!(codes(&missing), ["input_unresolvable", "start_refused"]);
    }
    let granted =
        json!({ "trigger_payload": { "topic": "t", "limit": 1 }, "trigger_steps": { "gated": {} } });
    let report = with("params", granted).await;
    assert_eq!(
        (&report["issues"][0]["step_id"], codes(&report)),
        (&json!("gated"), vec!["input_unresolvable"])
    );
    let granted = json!({ "topic": "t", "limit": 1, "trigger_steps": { "gated": { "text": "x" } } });
    assert_eq!(codes(&with("params", granted).await), [""; 0]);
}

#[tokio::test]
async fn a_start_that_would_be_refused_is_refused_in_a_dry_run() {
    let (_app, acme) = acme().await;
    let payload = json!({ "topic": "t", "limit": 1 });
    let with = async |more: Value| {
        let mut params = json!({ "trigger_payload": payload });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        validate(&acme, json!({ "graph": asks(), "params": params })).await
    };
    for (more, code) in [
        (json!({ "segment_id": "s" }), "start_refused"),
        (json!({ "beside": 1 }), "start_refused"),
        (json!({ "trigger_steps": { "gated": 1 } }), "start_refused"),
        (json!({ "trigger_steps": { "gone": {} } }), "trigger_step_unknown"),
        (json!({ "excluded_step_ids": ["gone"] }), "excluded_step_unknown"),
        (json!({ "run_id": "x" }), "start_refused"),
    ] {
        let report = with(more.clone()).await;
        assert_eq!((&report["valid"], codes(&report)), (&json!(false), vec![code]), "{more} {report:#}");
        assert_eq!(report["check_results"]["input_schema"], "failed");
    }
    assert_eq!(
        codes(&with(json!({ "external_user_id": "u", "excluded_step_ids": ["limit"] })).await),
        [""; 0]
    );
    let bare = json!({ "topic": "t", "limit": 1, "external_user_id": "u", "team_id": "x" });
    let report = validate(&acme, json!({ "graph": asks(), "params": bare })).await;
    assert_eq!(
        (&report["valid"], codes(&report)),
        (&json!(true), vec!["start_key_in_input"; 2]),
        "{report:#}"
    );
}

#[tokio::test]
async fn the_saved_defaults_of_a_start_count_when_they_are_asked_for() {
    let (_app, acme) = acme().await;
    let id = acme.create(&asks()).await;
    let path = format!("/v1/workflows/{id}");
    let setup = json!({ "run_setup": { "trigger_payload": { "limit": 5 } } });
    acme.client.patch(&path, &setup).await.expect(200);
    for (defaults, valid) in [(true, true), (false, false)] {
        let params = json!({ "trigger_payload": { "topic": "t" }, "use_run_setup_defaults": defaults });
        let report =
            acme.client.post(&format!("{path}/validate"), &json!({ "params": params })).await.expect(200);
        assert_eq!(report["valid"], valid, "{report:#}");
    }
}

#[tokio::test]
async fn unknown_fields_of_the_request_are_warned_of() {
    let (_app, acme) = acme().await;
    let body = json!({ "graph": graph([lua("a", "return {}")]), "run_id": "x", "mode": { "deep": 1 },
                       "params": { "a": 1 }, "payload": { "b": 1 } });
    let report = validate(&acme, body).await;
    assert_eq!(codes(&report), ["unknown_request_field"; 3], "{report:#}");
    assert_eq!((&report["valid"], &report["check_results"]["graph"]), (&json!(true), &json!("warning")));
    let mut many = json!({ "graph": graph([lua("a", "return {}")]), "y".repeat(10_000): 1 });
    for number in 0..10_000 {
        many[format!("f{number}")] = json!(1);
    }
    let report = validate(&acme, many).await;
    assert!(report["issues"].as_array().unwrap().len() == 20 && report.to_string().len() < 20_000);
    let nulls = json!({ "graph": graph([lua("a", "return {}")]), "params": null, "checks": null, "step_ids": null,
                        "skip_checks": null, "payload": null, "mock_step_outputs": null });
    assert_eq!(codes(&validate(&acme, nulls).await), [""; 0]);
    for (key, wrong) in
        [("checks", json!("graph")), ("step_ids", json!([1])), ("mock_step_outputs", json!([]))]
    {
        let body = json!({ "graph": graph([]), key: wrong });
        acme.client.post("/v1/workflows/validate", &body).await.refused(422, "INVALID_REQUEST");
    }
}

/// A graph with an error of each of three checks.
fn thrice_wrong() -> Value {
    let mut bad = lua("bad", "no lua");
    bad["extra"] = json!(1);
    let mut each = it::for_each("each", &json!("{{ nobody }}"), &[lua("inner", "no lua either")]);
    each["depends_on"] = json!(["bad"]);
    graph([bad, each])
}

#[tokio::test]
async fn only_the_checks_that_are_asked_for_are_told() {
    let (_app, acme) = acme().await;
    let with = async |more: Value| {
        let mut body = json!({ "graph": thrice_wrong() });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        validate(&acme, body).await
    };
    let all = ["unknown_field", "unknown_root", "lua_syntax", "lua_syntax"];
    assert_eq!(codes(&with(json!({})).await), all);
    assert_eq!(codes(&with(json!({ "checks": [], "skip_checks": [] })).await), all);
    let some = with(json!({ "checks": ["templates", "graph", "graph"] })).await;
    assert_eq!(codes(&some), ["unknown_field", "unknown_root"]);
    assert_eq!(some["checks_performed"], json!(["graph", "templates"]));
    assert_eq!(some["validation_evidence"]["checks_performed"], some["checks_performed"]);
    assert_eq!(
        (&some["check_results"]["lua_syntax"], &some["check_results"]["graph"]),
        (&json!("skipped"), &json!("failed"))
    );
    assert_eq!(codes(&with(json!({ "skip_checks": ["lua_syntax", "graph"] })).await), ["unknown_root"]);
    let fine = with(json!({ "checks": ["dependencies", "disabled_steps"] })).await;
    assert_eq!((&fine["valid"], &fine["readiness"], codes(&fine)), (&json!(true), &json!("ready"), vec![]));
    let hosted =
        json!({ "checks": ["graph_schema", "tenantdata_upsert"], "skip_checks": ["mapper_fixtures"] });
    assert_eq!(with(hosted).await["checks_performed"], json!(["graph"]), "names of the hosted product");
    assert_eq!(codes(&with(json!({ "skip_checks": ["graph_schema"] })).await), all);
    let unreadable = json!({ "graph": { "steps": 5 }, "checks": ["lua_syntax"] });
    let report = validate(&acme, unreadable).await;
    assert_eq!((&report["valid"], codes(&report)), (&json!(false), vec!["invalid_type"]), "{report:#}");
    for (body, told) in [
        (json!({ "checks": ["lua"] }), "checks[0]"),
        (json!({ "skip_checks": ["graph", ""] }), "skip_checks[1]"),
        (json!({ "checks": ["graph"], "skip_checks": ["graph"] }), "checks: there is none left"),
        (json!({ "checks": ["mapper_fixtures"] }), "checks: there is none left"),
    ] {
        let mut body = body;
        body["graph"] = thrice_wrong();
        let refused = acme.client.post("/v1/workflows/validate", &body).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().starts_with(told), "{refused:#}");
    }
}

#[tokio::test]
async fn only_the_steps_that_are_asked_for_are_told() {
    let (_app, acme) = acme().await;
    let with = async |ids: Value| validate(&acme, json!({ "graph": thrice_wrong(), "step_ids": ids })).await;
    let steps = |report: &Value| -> Vec<String> {
        let issues = report["issues"].as_array().unwrap().iter();
        issues.map(|issue| issue["step_id"].as_str().unwrap_or("-").to_owned()).collect()
    };
    assert_eq!(steps(&with(json!(["bad"])).await), ["bad", "bad"]);
    assert_eq!(steps(&with(json!(["each"])).await), ["each", "inner"], "a loop with its body");
    for inner in ["inner", "each#body#inner"] {
        assert_eq!(steps(&with(json!([inner])).await), ["inner"]);
    }
    assert_eq!(steps(&with(json!([])).await).len(), 4);
    for gone in ["eahc", "bad#body#inner", "each#body#gone", ""] {
        let report = with(json!(["inner", gone])).await;
        assert_eq!((&report["valid"], codes(&report)[0]), (&json!(false), "unknown_step_id"), "{gone}");
        assert_eq!(report["issues"][0]["json_path"], "$.step_ids[1]");
    }
}

#[tokio::test]
async fn the_last_validation_of_a_graph_is_kept() {
    let clock = Clock::manual(shared::types::clock::Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    let id = acme.create(&graph([lua("a", "return {}")])).await;
    let path = format!("/v1/workflows/{id}/graph-dry-runs");
    let at = |hash: &Value| format!("{path}?graph_hash={}", hash.as_str().unwrap());
    acme.client.get(&path).await.refused(404, "NOT_FOUND");
    let post = async |body: Value| {
        acme.client.post(&format!("/v1/workflows/{id}/validate"), &body).await.expect(200)
    };
    let of_draft = post(json!({})).await;
    let of_other = post(json!({ "graph": thrice_wrong() })).await;
    assert_eq!(acme.client.get(&path).await.expect(200), of_draft, "the draft's without a hash");
    assert_eq!(acme.client.get(&at(&of_draft["graph_hash"])).await.expect(200), of_draft);
    assert_eq!(acme.client.get(&at(&of_other["graph_hash"])).await.expect(200), of_other);
    clock.advance(std::time::Duration::from_secs(60));
    let again = post(json!({ "graph": thrice_wrong(), "checks": ["graph"] })).await;
    assert_ne!(again, of_other);
    assert_eq!(acme.client.get(&at(&of_other["graph_hash"])).await.expect(200), again, "the last one");
    for wrong in ["", "x", "sha256:12", &format!("sha256:{}", "G".repeat(64))] {
        acme.client.get(&format!("{path}?graph_hash={wrong}")).await.refused(422, "INVALID_REQUEST");
    }
    let never = graph_hash(&json!({ "steps": [] }));
    acme.client.get(&at(&json!(never))).await.refused(404, "NOT_FOUND");
    let workflow = acme.create(&graph([lua("a", "return {}")])).await;
    let elsewhere = format!("/v1/workflows/{workflow}/graph-dry-runs?graph_hash={never}");
    acme.client.get(&elsewhere).await.refused(404, "NOT_FOUND");
    let stranger = app.workspace("other").await;
    stranger.client.get(&at(&of_draft["graph_hash"])).await.refused(404, "NOT_FOUND");
    validate(&acme, json!({ "graph": graph([lua("b", "return {}")]) })).await;
    clock.advance(std::time::Duration::from_secs(30 * 24 * 3600));
    acme.client.get(&at(&of_draft["graph_hash"])).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_list_of_fields_is_an_input_schema() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut graph = graph([lua("a", "return { input = input }")]);
    graph["input_schema"] = json!([
        { "name": "order", "type": "string" },
        { "name": "count", "type": "integer", "optional": true, "default": 3, "form_visible": false },
    ]);
    json_schema::check(&graph_schema(), &graph).unwrap();
    let workflow = acme.publish(&graph).await;
    let version = acme.client.get(&format!("/v1/workflows/{workflow}/versions/1")).await.expect(200);
    assert_eq!(version["graph_snapshot"], graph, "kept as it was written");
    let patched = json!({ "graph": graph });
    acme.client.patch(&format!("/v1/workflows/{workflow}"), &patched).await.expect(200);
    for (params, told) in [
        (json!({}), "order"),
        (json!({ "order": 1 }), "order"),
        (json!({ "order": "x", "count": "y" }), "count"),
    ] {
        let refused = acme.command_start(&workflow, params.clone()).await.refused(422, "INVALID_REQUEST");
        assert!(refused.to_string().contains(told), "{refused:#}");
        let report = validate(&acme, json!({ "graph": graph, "params": params })).await;
        assert_eq!(report["check_results"]["input_schema"], "failed", "{report:#}");
    }
    let run = acme.begin_again(&workflow, json!({ "order": "x" })).await;
    app.work().await;
    assert_eq!(run.result("a").await, json!({ "input": { "order": "x", "count": 3 } }));
    graph["input_schema"][1]["default"] = json!("three");
    let report = validate(&acme, json!({ "graph": graph })).await;
    assert_eq!(report["issues"][0]["json_path"], "$.input_schema[1].default", "{report:#}");
    graph["input_schema"][1] = json!({ "name": "count", "type": "whole" });
    let new = json!({ "name": "n", "graph": graph });
    let refused = acme.client.post("/v1/workflows", &new).await.refused(422, "GRAPH_UNREADABLE");
    assert_eq!(refused["issues"][0]["json_path"], "$.input_schema[1].type", "{refused:#}");
}
