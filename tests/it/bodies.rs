//! How bodies are read: one JSON object, of a bounded size and depth, with known fields only.

use std::time::Duration;

use it::{Client, OPERATOR_TOKEN, TestApp, WatchedBody, graph, lua, workflow};
use serde_json::{Value, json};
use shared::services::config::Config;
use shared::types::clock::Clock;

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
async fn a_list_is_no_object_at_any_depth_and_changes_nothing() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let extras = json!({ "trigger_payload": { "k": 1 } });
    let webhook = acme.subscribe(&id, json!({ "name": "w", "extras": extras })).await.path;
    let server = json!({ "name": "S", "canonical_url": "http://127.0.0.1:1/mcp" });
    let server = acme.client.post("/v1/mcp/servers", &server).await.expect(201);
    let tools = json!({ "tools": [{ "name": "t" }], "activate": true });
    let versions = format!("/v1/mcp/servers/{}/versions", server["id"].as_str().unwrap());
    acme.client.post(&versions, &tools).await.expect(201);
    let instance =
        acme.client.post("/v1/mcp/instances", &json!({ "server_id": server["id"] })).await.expect(201);
    let profiles = format!("/v1/mcp/instances/{}/config-profiles", instance["id"].as_str().unwrap());
    let overrides = format!("/v1/workflows/{id}/connection-overrides");
    let list_of_model =
        json!({ "id": "m", "type": "llm_call", "prompt": "p", "model": "m", "llm_params": [0.5] });
    for (method, path, body, named) in [
        ("PATCH", &webhook, json!({ "extras": [] }), "extras"),
        ("PATCH", &webhook, json!({ "extras": [{}, {}, [], false] }), "extras"),
        ("POST", &profiles, json!({ "name": "P", "source_spec": [null, []] }), "source_spec"),
        ("PUT", &overrides, json!({ "overrides": [["id", "id"]] }), "overrides[0]"),
        ("POST", &versions, json!({ "tools": [["t"]] }), "tools[0]"),
    ] {
        let answer = acme.client.send(method, path, body.to_string()).await.refused(422, "INVALID_REQUEST");
        let error = answer["error"].as_str().unwrap();
        let expected = format!("The body's field {named}: expected an object, found a list.");
        assert_eq!(error, expected, "{method} {path} {body}");
    }
    assert_eq!(acme.client.get(&webhook).await.expect(200)["extras"]["trigger_payload"], json!({ "k": 1 }));
    // A graph says it among its issues.
    let new = json!({ "name": "w", "graph": graph([list_of_model]) });
    let refused = acme.client.post("/v1/workflows", &new).await.refused(422, "GRAPH_UNREADABLE");
    assert!(
        refused["issues"].to_string().contains("llm_params: expected an object, found a list"),
        "{refused:#}"
    );
}

#[tokio::test]
async fn errors_speak_of_json_and_repeat_no_more_of_a_name_than_its_beginning() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let webhook = acme.subscribe(&id, json!({ "name": "w" })).await.path;
    for wrong in [json!("text"), json!(1), json!(true)] {
        let answer = acme.client.patch(&webhook, &json!({ "extras": wrong })).await;
        let error = answer.refused(422, "INVALID_REQUEST")["error"].as_str().unwrap().to_owned();
        assert!(error.contains("extras: expected an object") && !error.contains("struct"), "{error}");
    }
    let secret = &acme.token[36..];
    for name in ["x".repeat(900_000), acme.token.clone(), format!("`, expected `{}", "x".repeat(10_000))] {
        for body in [json!({ &*name: 1 }), json!({ "name": "w", "extras": { &*name: 1 } })] {
            let answer = acme.client.patch(&webhook, &body).await.refused(422, "INVALID_REQUEST");
            let error = answer["error"].as_str().unwrap();
            assert!(error.len() < 500 && !error.contains(secret), "{error}");
            assert!(
                error.contains(&name[..20]) && error.contains("enabled") | error.contains("extras"),
                "{error}"
            );
        }
    }
    let params = json!({ "command": "pause", "params": { &*acme.token: 1 } });
    let answer = acme.client.post(&format!("/v1/workflows/{id}/command"), &params).await;
    assert!(!answer.refused(422, "INVALID_REQUEST").to_string().contains(secret));
    let answer = acme.client.get(&format!("/v1/workflows?{}=1", acme.token)).await;
    let answer = answer.refused(422, "INVALID_REQUEST");
    assert!(!answer.to_string().contains(secret) && answer.to_string().contains("pat_"), "{answer:#}");
}

#[tokio::test]
async fn paths_that_cannot_be_read_name_nothing_and_say_why() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for (path, why) in [("/v1/workflows/%ff", "UTF-8"), ("/v1/workflows/x", "id cannot be read")] {
        let refused = acme.client.get(path).await.refused(404, "NOT_FOUND");
        assert!(refused["error"].as_str().unwrap().contains(why), "{refused:#}");
    }
}

#[tokio::test]
async fn deeply_nested_json_is_refused_and_harms_nobody() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for depth in [126, 127, 128, 1_000, 500_000] {
        for (around, body) in [
            (None, nested(depth)),
            (Some(1), format!("{{\"name\":\"w\",\"graph\":{}}}", nested(depth))),
            (Some(2), format!("{{\"name\":\"w\",\"graph\":{{\"steps\":[],\"params\":{}}}}}", nested(depth))),
        ] {
            // A list is no body whatever is in it; what is deeper than can be read is not read.
            let (status, code) = match around {
                None => (422, "INVALID_REQUEST"),
                Some(around) if depth + around <= 127 => (422, "GRAPH_UNREADABLE"),
                Some(_) => (400, "UNREADABLE"),
            };
            acme.client.send("POST", "/v1/workflows", body).await.refused(status, code);
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
async fn encoded_bodies_are_415_and_name_their_encoding() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let body = workflow("w").to_string();
    for (header, named) in
        [("gzip", "gzip"), ("GZIP", "GZIP"), ("identity, br", "br"), ("deflate", "deflate")]
    {
        let client = acme.client.with("content-encoding", header);
        for client in [client.clone(), client.with("idempotency-key", "k")] {
            let answer = client.send("POST", "/v1/workflows", body.clone()).await;
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
            let refused = answer.refused(415, "UNSUPPORTED_ENCODING");
            let error = refused["error"].as_str().unwrap();
            assert!(
                error.contains("Content-Encoding") && error.contains(named) && error.contains("plain"),
                "{error}"
            );
        }
        let refused = client.send("POST", "/mcp", "{}").await.refused(415, "UNSUPPORTED_ENCODING");
        assert!(refused["error"].as_str().unwrap().contains(named), "{refused}");
    }
    // Without its header.
    for path in ["/v1/workflows", "/mcp"] {
        let refused = acme.client.send("POST", path, it::gzip(body.as_bytes())).await;
        let refused = refused.refused(400, "UNREADABLE");
        let error = refused["error"].as_str().unwrap();
        for part in ["looks compressed with gzip", "plain", "'Content-Type: application/json'"] {
            assert!(error.contains(part), "{path}: {error}");
        }
    }
    for header in ["identity", "", "Identity"] {
        acme.client
            .with("content-encoding", header)
            .send("POST", "/v1/workflows", body.clone())
            .await
            .expect(201);
    }
    let stranger = app.anyone.with("content-encoding", "gzip");
    stranger.send("POST", "/v1/workflows", body).await.refused(401, "UNAUTHENTICATED");
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

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_408_on_every_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let hurried = |config: &mut Config| config.body_deadline = Duration::from_millis(20);
    let router = local::router(app.stores.state_with(Clock::System, hurried));
    let known = Client::new(router.clone()).bearer(&acme.token);
    let operator = Client::new(router).bearer(OPERATOR_TOKEN);
    for (client, path) in [
        (&known, "/v1/workflows"),
        (&known, "/v1/pats"),
        (&known, "/mcp"),
        (&operator, "/v1/onboarding/workspaces"),
    ] {
        for client in [client.clone(), client.with("idempotency-key", "k")] {
            let body = WatchedBody::default();
            client.send("POST", path, &body).await.refused(408, "BODY_TIMEOUT");
            assert!(body.was_asked_for(), "{path}");
        }
    }
}
