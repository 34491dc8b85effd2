//! What servers answer, as later steps and readers get it: without the secrets that the server was sent, in whatever
//! encoding it hands them back, and with everything else as it came.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use it::{RawMcp, RawReply, TestApp, Workspace, graph, tool_call};
use serde_json::{Value, json};

const PASSWORD: &str = "hunter2/\"Secret\" & more";

/// A step that calls a server with this connection, which answers with this content; its result, as readers see it.
async fn result(app: &TestApp, acme: &Workspace, connection: &str, content: Value) -> (Value, String) {
    let mcp = RawMcp::start(move |request| match request.method() {
        "tools/call" => RawReply::json(
            200,
            &json!({ "jsonrpc": "2.0", "id": request.message["id"], "result": { "structuredContent": content,
                     "content": [] } }),
        ),
        _ => RawReply::usual(request),
    })
    .await;
    let new = json!({ "name": format!("S {}", mcp.url), "canonical_url": mcp.url, "auth_mode": "headers" });
    let server = acme.client.post("/v1/mcp/servers", &new).await.expect(201);
    let instance = json!({ "server_id": server["id"] });
    let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
    let instance = instance["id"].as_str().unwrap();
    let profile = json!({ "name": "P", "source_spec": { "connection_id": connection } });
    acme.client.post(&format!("/v1/mcp/instances/{instance}/config-profiles"), &profile).await.expect(201);
    let workflow = acme.publish(&graph([tool_call("a", &[], instance, "t", &json!({}))])).await;
    let run = acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["status"], "completed", "{view:#}");
    (view["outputs"]["a"].clone(), json!(run.events().await).to_string())
}

async fn connection(acme: &Workspace, service: &str, credentials: Value) -> Value {
    let new = json!({ "display_name": "C", "provider": "p", "service": service, "credentials": credentials });
    acme.client.post("/v1/connections", &new).await.expect(201)
}

#[tokio::test]
async fn results_keep_everything_but_the_secrets() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let credentials = json!({ "x-user": "admin", "x-region": "eu-central-1", "x-account-id": "123456789012", "x-api-key": "prod",
                "x-pin": "12345", "x-token": "987654321098" });
    let made = connection(&acme, "custom", credentials).await;
    let named: Vec<&str> = made["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["x-api-key", "x-pin"], "{made:#}");
    let id = made["id"].as_str().unwrap();
    let fields = acme.client.get(&format!("/v1/connections/{id}/credentials")).await.expect(200);
    let secret = |at: usize| fields["credentials"][at]["secret"].as_bool().unwrap();
    assert_eq!((0..6).map(secret).collect::<Vec<_>>(), [false, true, true, false, true, false]);
    let came = json!({
        "administrator": "the administrator, admin, of eu-central-1 and 123456789012", "n": 12345, "account": 123456789012_u64,
        "product": "a product of prod", "prod": ["production"], "user": "admin", "text": "{\"n\":12345}",
    });
    let mut sent = came.clone();
    sent["key"] = json!("prod");
    sent["pin"] = json!(" 12345\n");
    sent["token"] = json!(987654321098_u64);
    sent["tokens"] = json!([987654321098.5, 9876543210987_u64, "id-987654321098"]);
    let (result, _) = result(&app, &acme, id, sent).await;
    let mut expected = came;
    expected["key"] = json!("•••");
    expected["pin"] = json!(" •••\n");
    expected["token"] = json!("•••");
    expected["tokens"] = json!([987654321098.5, 9876543210987_u64, "id-•••"]);
    assert_eq!(result, expected);
}

#[tokio::test]
async fn secrets_are_masked_in_whatever_encoding_they_come_back() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let made = connection(&acme, "basic", json!({ "username": "admin", "password": PASSWORD })).await;
    let json_in_text = json!({ "password": PASSWORD }).to_string();
    let percent = "hunter2%2F%22Secret%22%20%26%20more";
    let pair = format!("admin:{PASSWORD}");
    let lines: Vec<String> = STANDARD
        .encode(&pair)
        .chars()
        .collect::<Vec<_>>()
        .chunks(8)
        .map(|line| line.iter().collect())
        .collect();
    let forms = json!({
        "json": json_in_text, "slashes": json_in_text.replace('/', "\\/"), "twice": json!(json_in_text).to_string(),
        "unicode": "hunter2\\u002f\\u0022Secret\\u0022 \\u0026 more", "percent": percent,
        "small": percent.to_lowercase().replace("secret", "Secret"), "again": percent.replace('%', "%25"),
        "form": percent.replace("%20", "+"), "html": "hunter2/&quot;Secret&quot; &amp; more",
        "numbers": "hunter2&#47;&#x22;Secret&#34; &#x26; more", "shell": "'hunter2/\"Secret\" & more'",
        "escaped": "hunter2/\\\"Secret\\\"\\ \\&\\ more", "basic": format!("Basic {}", STANDARD.encode(&pair)),
        "url": URL_SAFE_NO_PAD.encode(format!("u:{PASSWORD}x")), "lines": lines.join("\r\n"), "escaped_lines": lines.join("\\n"),
        "inside": STANDARD.encode(&json_in_text), PASSWORD: 1,
    });
    let count = forms.as_object().unwrap().len();
    let (result, events) = result(&app, &acme, made["id"].as_str().unwrap(), forms).await;
    for (name, form) in result.as_object().unwrap() {
        let form = if form == 1 { json!(name) } else { form.clone() };
        assert!(form.as_str().unwrap().contains("•••"), "{name}: {form}");
    }
    assert_eq!(result.as_object().unwrap().len(), count);
    for part in ["Secret", "hunter2", &STANDARD.encode(&pair)[8..32]] {
        assert!(!result.to_string().contains(part) && !events.contains(part), "{part}: {result:#}");
    }
}

#[tokio::test]
async fn the_password_of_a_data_source_is_masked_and_the_rest_is_not() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let dsn = "postgres://app:correct%20horse@db.example.com:5432/shop";
    let made = connection(&acme, "dsn", json!({ "dsn": dsn })).await;
    let sent = json!({ "tried": dsn, "as": "app", "with": "correct horse", "at": "db.example.com:5432" });
    let (result, _) = result(&app, &acme, made["id"].as_str().unwrap(), sent).await;
    let expected = json!({ "tried": "postgres://app:•••@db.example.com:5432/shop", "as": "app", "with": "•••",
                           "at": "db.example.com:5432" });
    assert_eq!(result, expected);
}

#[tokio::test]
async fn short_keys_are_kept_with_a_warning() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let key = json!({ "provider": "openai", "api_key": "short" });
    let made = acme.client.post("/v1/llm-provider-keys", &key).await.expect(201);
    assert_eq!(made["warnings"][0]["name"], "api_key", "{made:#}");
    let rotate = format!("/v1/llm-provider-keys/{}/rotate", made["id"].as_str().unwrap());
    let rotated = acme.client.post(&rotate, &json!({ "api_key": "long-enough-key" })).await.expect(200);
    assert_eq!(rotated["warnings"], Value::Null);
    let short = connection(&acme, "api_key", json!({ "api_key": "short" })).await;
    let path = format!("/v1/connections/{}", short["id"].as_str().unwrap());
    let changed =
        acme.client.patch(&path, &json!({ "credentials": { "api_key": "long-enough" } })).await.expect(200);
    assert_eq!(
        (short["warnings"][0]["name"].as_str(), &changed["warnings"]),
        (Some("api_key"), &Value::Null)
    );
}
