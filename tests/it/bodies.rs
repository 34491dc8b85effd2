//! How bodies are read: one JSON object, of a bounded size and depth, with known fields only.

use it::{Client, TestApp, graph, lua, workflow};
use serde_json::{Value, json};
use shared::clock::Clock;

const MIB: usize = 1024 * 1024;

/// A readable request to create a workflow of exactly so many bytes.
fn body_of(bytes: usize) -> String {
    let mut body = workflow("large").to_string();
    body.push_str(&" ".repeat(bytes - body.len()));
    body
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn bodies_that_are_not_one_json_value_are_400() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let whole = workflow("w").to_string();
    let mut not_utf8 = whole.clone().into_bytes();
    let at = whole.find("\"w\"").unwrap() + 1;
    not_utf8[at] = 0xff;
    let bodies: [Vec<u8>; 8] = [
        b"{".to_vec(),
        b"{\"name\": }".to_vec(),
        b"name=w".to_vec(),
        whole.as_bytes()[..whole.len() - 1].to_vec(),
        format!("{whole} x").into_bytes(),
        format!("{whole}{whole}").into_bytes(),
        not_utf8,
        b"\xef\xbb\xbf{}".to_vec(),
    ];
    for body in bodies {
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = acme.client.send("POST", "/v1/workflows", body).await;
        assert_eq!(answer.status, 400, "{text}: {:#}", answer.body);
        answer.refused(400, "UNREADABLE");
    }
    assert_eq!(acme.client.get("/v1/workflows").await.expect(200), json!({ "workflows": [] }));
}

#[tokio::test]
async fn bodies_that_are_json_but_no_object_are_422_and_name_nothing_internal() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let graph = graph([lua("a", "return {}")]);
    for (path, body) in [
        ("/v1/workflows".to_owned(), json!(["by position", "", graph])),
        ("/v1/workflows".to_owned(), json!("text")),
        ("/v1/workflows".to_owned(), Value::Null),
        (format!("/v1/workflows/{id}/command"), json!(["start", {}])),
        (format!("/v1/workflows/{id}/command"), json!(1)),
        (format!("/v1/workflows/{id}/versions"), json!([])),
        ("/v1/workflows/validate".to_owned(), json!([graph])),
    ] {
        let answer = acme.client.post(&path, &body).await.refused(422, "INVALID_REQUEST");
        let error = answer["error"].as_str().unwrap();
        assert!(!error.contains("struct") && error.contains("object"), "{path} {body}: {error}");
    }
}

#[tokio::test]
async fn deeply_nested_json_is_refused_and_harms_nobody() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for depth in [127, 128, 1_000, 500_000] {
        for body in [
            nested(depth),
            format!("{{\"name\":\"w\",\"graph\":{}}}", nested(depth)),
            format!("{{\"name\":\"w\",\"graph\":{{\"steps\":[],\"params\":{}}}}}", nested(depth)),
        ] {
            let answer = acme.client.send("POST", "/v1/workflows", body).await;
            assert!(answer.status.is_client_error(), "{depth}: {} {:#}", answer.status, answer.body);
        }
    }
}

#[tokio::test]
async fn a_body_of_1_mib_is_read_and_one_byte_more_is_413() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    acme.client.send("POST", "/v1/workflows", body_of(MIB)).await.expect(201);
    acme.client.send("POST", "/v1/workflows", body_of(MIB + 1)).await.refused(413, "TOO_LARGE");
    acme.client.send("POST", "/v1/workflows", vec![b'x'; 3 * MIB]).await.refused(413, "TOO_LARGE");
    // Who may not call learns nothing about the body.
    app.anyone.send("POST", "/v1/workflows", body_of(MIB + 1)).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_post_whose_fields_are_all_optional_needs_no_body() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.create(&graph([lua("a", "return {}")])).await;
    let post = async |rest: &str| acme.client.send("POST", &format!("/v1/workflows/{id}{rest}"), "").await;
    post("/versions").await.expect(201);
    assert_eq!(post("/validate").await.expect(200)["valid"], true);
    post("/restore").await.expect(200);
    let missing = post("/command").await.refused(422, "INVALID_REQUEST");
    assert!(missing["error"].as_str().unwrap().contains("command"));
}

#[tokio::test]
async fn unknown_and_misread_fields_of_bodies_are_named() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let refused = async |client: &Client, method: &str, path: &str, body: Value, named: &str| {
        let answer = client.send(method, path, body.to_string()).await;
        let body = answer.refused(422, "INVALID_REQUEST");
        assert!(body["error"].as_str().unwrap().contains(named), "{method} {path}: {body:#}");
    };
    let of = |rest: &str| format!("/v1/workflows/{id}{rest}");
    let typo = json!({ "nmae": 1 });
    for (method, path) in [
        ("POST", "/v1/workflows".to_owned()),
        ("PATCH", of("")),
        ("POST", of("/versions")),
        ("POST", of("/validate")),
        ("POST", "/v1/workflows/validate".to_owned()),
        ("POST", of("/command")),
    ] {
        refused(&acme.client, method, &path, typo.clone(), "nmae").await;
    }
    let new = json!({ "name": "n", "slug": "n", "project": "p" });
    refused(&app.operator(), "POST", "/v1/onboarding/workspaces", new, "project").await;
    refused(&acme.client, "POST", "/v1/workflows", json!({ "name": 1, "graph": {} }), "name").await;
    refused(&acme.client, "POST", "/v1/workflows", json!({ "name": "w" }), "graph").await;
    refused(&acme.client, "POST", &of("/command"), json!({ "command": "stat" }), "stat").await;
    refused(&acme.client, "POST", &of("/command"), json!({ "command": "start", "params": [] }), "params")
        .await;
    let params = json!({ "command": "start", "params": { "version": "one" } });
    refused(&acme.client, "POST", &of("/command"), params, "params.version").await;
    let params = json!({ "command": "start", "params": { "trigger_steps": { "a": 1 } } });
    refused(&acme.client, "POST", &of("/command"), params, "params.trigger_steps.a").await;
    let params = json!({ "command": "start", "params": { "trigger_type": "sun" } });
    refused(&acme.client, "POST", &of("/command"), params, "params.trigger_type").await;
    let params = json!({ "command": "start", "params": { "run_id": "1" } });
    refused(&acme.client, "POST", &of("/command"), params, "params.run_id").await;
}

#[tokio::test]
async fn names_are_trimmed_and_have_1_to_200_characters_on_one_line() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let longest = "ä".repeat(200);
    let create = async |name: &str| acme.client.post("/v1/workflows", &workflow(name)).await;
    let made = create(&format!("  {longest}\n")).await.expect(201);
    assert_eq!(made["name"], longest);
    let id = made["id"].as_str().unwrap();
    let patch = async |body: Value| acme.client.patch(&format!("/v1/workflows/{id}"), &body).await;
    for bad in ["", "   ", &"ä".repeat(201), "two\nlines", "nul\0"] {
        for refused in [create(bad).await, patch(json!({ "name": bad })).await] {
            let body = refused.refused(422, "INVALID_REQUEST");
            assert!(body["error"].as_str().unwrap().starts_with("name:"), "{body:#}");
        }
    }
    assert_eq!(patch(json!({ "name": " x " })).await.expect(200)["name"], "x");
    let text = "ä".repeat(2000);
    let patched = patch(json!({ "description": format!(" {text} ") })).await.expect(200);
    assert_eq!(patched["description"], text);
    let too_long = json!({ "description": "ä".repeat(2001) });
    let refused = patch(too_long).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().starts_with("description:"));
}
