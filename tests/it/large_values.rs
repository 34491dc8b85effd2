//! Large values: what is ordinary goes through, however many steps read it; what would take too much memory is refused by a clear
//! error before it is read. What the process takes meanwhile is measured by `bench --only memory`.

use it::{
    Models, RawMcp, RawReply, Run, TestApp, Workspace, call, for_each, graph, lua, lua_after, openai_says,
    with,
};
use serde_json::{Value, json};

/// Nearly a megabyte of tiny objects: some ninety once they are values.
const OBJECTS: &str = "local t = {} for i = 1, 130000 do t[i] = { a = 1 } end return { n = 1, t = t }";

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

fn patient(step: Value) -> Value {
    with(step, &json!({ "timeout_s": 30 }))
}

fn makers(count: usize, script: &str) -> (Vec<Value>, Vec<String>) {
    let ids: Vec<String> = (0..count).map(|at| format!("m{at}")).collect();
    (ids.iter().map(|id| patient(lua(id, script))).collect(), ids)
}

async fn run(acme: &Workspace, steps: Vec<Value>) -> Run {
    let run = acme.begin(&graph(steps), json!({})).await;
    // Megabytes take their time on a busy machine.
    for _ in 0..6 {
        if !run.finished().await["ended_at"].is_null() {
            break;
        }
    }
    run
}

/// `{ "x": [{"":0}, …] }` as text.
fn tiny_objects(count: usize) -> String {
    format!(r#"{{"x":[{}0]}}"#, r#"{"":0},"#.repeat(count))
}

#[tokio::test]
async fn scripts_and_templates_read_large_results() {
    let (_app, acme) = acme().await;
    let (mut steps, ids) = makers(3, OBJECTS);
    let after: Vec<&str> = ids.iter().map(String::as_str).collect();
    let all = "local n = 0 for k, v in pairs(steps) do n = n + #v.result.t end return { n = n, last = steps.m2.result.t[130000].a }";
    let two = all.replace("pairs(steps)", "pairs({ steps.m0, steps.m1 })");
    steps.push(patient(lua_after("two", &after, &two)));
    let numbers: Vec<String> = ids.iter().map(|id| format!("{{{{ steps.{id}.result.n }}}}")).collect();
    let texts = json!({ "numbers": numbers, "last": "{{ steps.m1.result.t.129999.a }}" });
    let child = acme.publish(&graph([lua("a", "return { got = input }")])).await;
    steps.push(call("templates", &after, &child, &texts));
    let condition = lua_after("condition", &after, "return { ok = true }");
    steps.push(with(condition, &json!({ "condition": "{{ steps.m2.result.t.5.a }} == 1" })));
    let run = run(&acme, steps).await;
    let outputs = run.view().await["outputs"].clone();
    assert_eq!(outputs["two"], json!({ "n": 260_000, "last": 1 }), "{outputs:#}");
    assert_eq!(outputs["templates"]["output"]["a"]["got"], json!({ "numbers": [1, 1, 1], "last": 1 }));
    assert_eq!(outputs["condition"]["ok"], true);
}

#[tokio::test]
async fn a_script_that_reads_too_much_is_told_how_much() {
    let (_app, acme) = acme().await;
    let count = "local n = 0 for k, v in pairs(steps) do n = n + 1 end return { n = n }";
    for (size, script, words) in [
        // Text beyond what is loaded for one step; values beyond what a script may hold.
        (34, "return { t = string.rep('x', 1040000) }", "33554432 (32 MiB)"),
        (6, OBJECTS, "64 MiB of memory"),
    ] {
        let (mut steps, ids) = makers(size, script);
        let after: Vec<&str> = ids.iter().map(String::as_str).collect();
        steps.push(patient(lua_after("read", &after, count)));
        let run = run(&acme, steps).await;
        let view = run.view().await;
        assert_eq!(view["failure_code"], "STEP_INPUT_TOO_LARGE", "{:#}", view["error"]);
        let error = view["error"].as_str().unwrap_or_default();
        for word in ["step \"read\"", words, "Name the steps"] {
            assert!(error.contains(word), "{error}");
        }
    }
}

#[tokio::test]
async fn fields_that_explode_fail_before_they_are_read() {
    let (_app, acme) = acme().await;
    let child = acme.publish(&graph([lua("a", "return {}")])).await;
    for step in [
        call("read", &["m0"], &child, &json!({ "t": "{{ steps.m0.result.t }}" })),
        with(lua_after("read", &["m0"], "return {}"), &json!({ "condition": "{{ steps.m0.result.t }}" })),
        with(
            for_each("read", &json!("{{ steps.m0.result.t }}"), &[lua("b", "return {}")]),
            &json!({ "depends_on": ["m0"] }),
        ),
    ] {
        let run = run(&acme, vec![patient(lua("m0", OBJECTS)), step]).await;
        let view = run.view().await;
        assert_eq!(view["failure_code"], "STEP_INPUT_TOO_LARGE", "{:#}", view["error"]);
        let error = view["error"].as_str().unwrap_or_default();
        assert!(error.contains("step \"read\"") && error.contains("64 MiB"), "{error}");
    }
}

#[tokio::test]
async fn every_round_of_a_loop_reads_one_large_result() {
    let (_app, acme) = acme().await;
    let numbers: Vec<u32> = (0..8).collect();
    let body = [patient(lua("read", "return { n = #steps.m0.result.t + item }"))];
    let each = with(for_each("each", &json!(numbers), &body), &json!({ "depends_on": ["m0"] }));
    let run = run(&acme, vec![patient(lua("m0", OBJECTS)), each]).await;
    let result = run.view().await["outputs"]["each"].clone();
    assert_eq!(
        (&result["succeeded_count"], &result["results"][7]["result"]["n"]),
        (&json!(8), &json!(130_007))
    );
}

#[tokio::test]
async fn bodies_that_explode_are_refused_and_others_start() {
    let (_app, acme) = acme().await;
    let workflow = acme.publish(&graph([lua("a", "return { n = #input.x }")])).await;
    let path = format!("/v1/workflows/{workflow}/command");
    let body = |input: &str| format!(r#"{{"command":"start","params":{{"trigger_payload":{input}}}}}"#);
    let refused =
        acme.client.send("POST", &path, body(&tiny_objects(149_000))).await.refused(413, "TOO_LARGE");
    let error = refused["error"].as_str().unwrap_or_default();
    assert!(error.contains("64 MiB of memory") && error.contains("very many small values"), "{error}");
    let record = r#"{"id":12345,"name":"Some name","email":"alex@example.com","tags":["a","b"]},"#;
    let records = format!(r#"{{"x":[{}0]}}"#, record.repeat(13_000));
    for input in [tiny_objects(40_000), records] {
        let started = acme.client.send("POST", &path, body(&input)).await.expect(200);
        let run = acme.known_run(&workflow, started["run_id"].as_str().unwrap_or_default());
        assert_eq!(run.finished().await["status"], "completed");
        let context = run.context().await;
        assert_eq!(context["input"], serde_json::from_str::<Value>(&input).unwrap());
        assert_eq!(
            context["steps"]["a"]["result"]["n"],
            context["input"]["x"].as_array().map_or(0, Vec::len)
        );
    }
}

async fn tool_answers(acme: &Workspace, answer: String) -> Value {
    let mcp = RawMcp::calling(move |request| {
        let result = format!(r#"{{"content":[],"structuredContent":{answer}}}"#);
        let id = &request.message["id"];
        RawReply::new(200, "application/json", format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
    })
    .await;
    let server = json!({ "name": format!("Raw {}", mcp.url), "canonical_url": mcp.url });
    let server = acme.client.post("/v1/mcp/servers", &server).await.expect(201);
    let instance =
        acme.client.post("/v1/mcp/instances", &json!({ "server_id": server["id"] })).await.expect(201);
    let step = it::tool_call("a", &[], instance["id"].as_str().unwrap_or_default(), "t", &json!({}));
    run(acme, vec![step]).await.view().await
}

#[tokio::test]
async fn tools_answers_that_explode_are_not_read() {
    let (_app, acme) = acme().await;
    for count in [149_000, 500_000] {
        let view = tool_answers(&acme, tiny_objects(count)).await;
        assert_eq!(view["failure_code"], "MCP_TOOL_FAILED");
        let error = view["error"].as_str().unwrap_or_default();
        assert!(error.contains("64 MiB of memory") && error.contains("ask for less"), "{error}");
    }
    let view = tool_answers(&acme, tiny_objects(50_000)).await;
    assert_eq!(view["outputs"]["a"]["x"].as_array().map(Vec::len), Some(50_001), "{:#}", view["error"]);
}

#[tokio::test]
async fn models_answers_that_explode_are_not_read() {
    let (_app, acme) = acme().await;
    for (count, code, words) in [
        (250_000, "RESULT_TOO_LARGE", "1 MiB"),
        (145_000, "LLM_REQUEST_FAILED", "64 MiB of memory"),
        (20_000, "", ""),
    ] {
        let models = Models::answering([openai_says(&tiny_objects(count), 1, 1)]).await;
        let key = json!({ "provider": "openai", "api_key": "sk-test-0123456789", "base_url": models.url(),
                          "name": format!("k{count}") });
        let key = acme.llm_key(&key).await;
        let ask = json!({ "id": "a", "type": "llm_call", "model_ref": "direct.openai.gpt-4.1", "prompt": "?",
                          "llm_credential_id": key, "llm_params": { "response_format": "json_object" } });
        let view = run(&acme, vec![ask]).await.view().await;
        assert_eq!(view["failure_code"].as_str().unwrap_or_default(), code, "{:#}", view["error"]);
        assert!(view["error"].as_str().unwrap_or_default().contains(words), "{:#}", view["error"]);
    }
}
