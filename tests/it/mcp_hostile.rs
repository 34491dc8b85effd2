//! Servers that mean ill or are broken: every answer is bounded, and says what is wrong.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use it::{McpStandIn, TestApp, Workspace, graph, tool_call, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use tokio::net::TcpListener;

/// What a server answers when it is asked for its tools.
type Tools = fn(&Value) -> Response;

/// A server that shakes hands as it should, and answers `tools/list` like this.
async fn serve(tools: Tools) -> String {
    serve_all(move |request| match request["method"].as_str() {
        Some("initialize") => {
            let result = json!({
                "protocolVersion": request["params"]["protocolVersion"], "capabilities": { "tools": {} },
                "serverInfo": { "name": "hostile", "version": "1" },
            });
            axum::Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).into_response()
        }
        Some("tools/list") => tools(&request),
        _ => http::StatusCode::ACCEPTED.into_response(),
    })
    .await
}

async fn serve_all(answer: impl Fn(Value) -> Response + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let route = any(async move |body: String| answer(serde_json::from_str(&body).unwrap_or_default()));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/mcp", route)).await });
    url
}

fn listed(request: &Value, tools: &Value) -> Response {
    axum::Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "tools": tools } })).into_response()
}

async fn refusal(acme: &Workspace, url: &str) -> String {
    let new = json!({ "name": format!("Server {url}"), "canonical_url": url });
    let server = acme.client.post("/v1/mcp/servers", &new).await.expect(201);
    let path = format!("/v1/mcp/servers/{}", server["id"].as_str().unwrap());
    let refused = acme.client.post(&format!("{path}/discover"), &json!({})).await;
    let validity = acme.client.post(&format!("{path}/validate"), &json!({})).await.expect(200);
    assert_eq!(validity["valid"], false, "{validity:#}");
    let error = refused.body["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!(refused.status, 422, "{:#}", refused.body);
    assert!(error.len() < 2_000 && !error.chars().any(char::is_control), "{error}");
    error
}

#[tokio::test]
async fn what_hostile_servers_send_is_refused_in_clear_words() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let large =
        |_: &Value| ([("content-type", "application/json")], "x".repeat(10 * 1024 * 1024)).into_response();
    let no_json_rpc = |_: &Value| axum::Json(json!({ "hello": ["world"] })).into_response();
    let html = |_: &Value| ([("content-type", "text/html")], "<h1>hello</h1>").into_response();
    let schema = |request: &Value| {
        let text = "x".repeat(5 * 1024 * 1024);
        listed(request, &json!([{ "name": "t", "inputSchema": { "type": "object", "description": text } }]))
    };
    let control = |request: &Value| {
        listed(request, &json!([{ "name": "t\u{1b}[2J\n", "inputSchema": { "type": "object" } }]))
    };
    let nothing = |request: &Value| listed(request, &json!([]));
    let cases: [(&str, Tools); 6] = [
        ("larger than", large),
        ("JSON-RPC", no_json_rpc),
        ("neither application/json", html),
        ("larger than", schema),
        ("control characters", control),
        ("no tools", nothing),
    ];
    for (told, tools) in cases {
        let error = refusal(&acme, &serve(tools).await).await;
        assert!(error.contains(told), "{told}: {error}");
    }
}

#[tokio::test]
async fn what_leads_elsewhere_is_not_followed() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let metadata = serve_all(|_| {
        (http::StatusCode::TEMPORARY_REDIRECT, [("location", "http://169.254.169.254/latest/meta-data/")])
            .into_response()
    })
    .await;
    let error = refusal(&acme, &metadata).await;
    assert!(error.contains("redirects to http://169.254.169.254"), "{error}");
    for url in ["http://169.254.169.254/", "https://user:pass@example.com/", "ftp://example.com/", "nonsense"]
    {
        let new = json!({ "name": "Server", "canonical_url": url });
        let refused = acme.client.post("/v1/mcp/servers", &new).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().starts_with("canonical_url: "), "{refused:#}");
    }
}

#[tokio::test]
async fn refusals_and_broken_connections_are_told_apart() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let wrong_key = serve_all(|_| (http::StatusCode::UNAUTHORIZED, "go away").into_response()).await;
    assert!(refusal(&acme, &wrong_key).await.contains("HTTP 401"));
    let error = refusal(&acme, "http://127.0.0.1:1/mcp").await;
    assert!(error.contains("no connection"), "{error}");
    let rpc = serve_all(|request| {
        let error = json!({ "code": -32000, "message": "not\ntoday" });
        axum::Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error })).into_response()
    })
    .await;
    assert!(refusal(&acme, &rpc).await.contains("not today"));
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_a_step_its_time_and_no_more() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    // One that answers nothing at all, and one that shakes hands and never says what came of a call.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/mcp", listener.local_addr().unwrap());
    let route = any(std::future::pending::<&str>);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/mcp", route)).await });
    let server = json!({ "name": "Silent", "canonical_url": silent });
    let server = acme.client.post("/v1/mcp/servers", &server).await.expect(201);
    let silent = acme.client.post("/v1/mcp/instances", &json!({ "server_id": server["id"] })).await;
    let silent = silent.expect(201)["id"].as_str().unwrap().to_owned();
    let waiting = acme.mcp_instance(&McpStandIn::start().await.url).await;
    for instance in [silent, waiting] {
        let step = tool_call("a", &[], &instance, "wait", &json!({}));
        let limits = json!({ "timeout_s": 0.3, "retry_count": 1, "retry_backoff_s": 0 });
        let run = acme.begin(&graph([with(step, &limits)]), json!({})).await;
        let view = run.finished().await;
        assert_eq!(view["failure_code"], "STEP_TIMEOUT", "{view:#}");
        assert_eq!(view["error"], "The call did not end within 0.3 s (timeout_s).");
        let events = run.events().await;
        let failures = events.iter().filter(|event| event["event_type"] == "step_failed").count();
        assert_eq!(failures, 2, "a timeout may pass");
    }
}
