//! Streamable HTTP without sessions: versions, methods, headers, bodies, batches.

use it::{Client, McpClient, TestApp};
use serde_json::{Value, json};
use shared::types::clock::Clock;

const MIB: usize = 1024 * 1024;

fn ping(id: u32) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })
}

fn initialize(version: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } })
}

/// Somebody with a token who says that bodies are JSON.
async fn client(app: &TestApp) -> Client {
    app.workspace("acme").await.client.with("content-type", "application/json")
}

#[tokio::test]
async fn the_handshake_agrees_on_a_version_and_keeps_no_session() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    for (asked, agreed) in [
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let answer = client.post("/mcp", &initialize(asked)).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("mcp-session-id").is_none() && answer.header("x-request-id").is_some());
        let result = &answer.expect(200)["result"];
        assert_eq!(result["protocolVersion"], agreed, "{asked}: {result:#}");
        assert_eq!(result["serverInfo"]["name"], "agentruntime");
        assert_eq!(result["capabilities"], json!({ "tools": {} }));
        assert!(result["instructions"].as_str().unwrap().contains("ar_get_started"));
    }
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let taken = client.post("/mcp", &initialized).await;
    assert_eq!((taken.status.as_u16(), &taken.body), (202, &Value::Null));
    assert_eq!(
        client.post("/mcp", &ping(3)).await.expect(200),
        json!({ "jsonrpc": "2.0", "id": 3, "result": {} })
    );
}

#[tokio::test]
async fn requests_of_2026_07_28_need_no_handshake() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await.with("mcp-protocol-version", "2026-07-28");
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                       "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
                       "io.modelcontextprotocol/clientCapabilities": {} });
    let send = async |method: &str, mut params: Value, name: Option<&str>| {
        params["_meta"] = meta.clone();
        let mut client = client.with("mcp-method", method);
        if let Some(name) = name {
            client = client.with("mcp-name", name);
        }
        client.post("/mcp", &json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await
    };
    let found = send("server/discover", json!({}), None).await.expect(200);
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && !versions.contains(&json!("2024-11-05")), "{found:#}");
    let listed = send("tools/list", json!({}), None).await.expect(200);
    assert!(listed["result"]["tools"].as_array().unwrap().len() > 15, "{listed:#}");
    let params = json!({ "name": "workflows_list", "arguments": {} });
    let called = send("tools/call", params.clone(), Some("workflows_list")).await.expect(200);
    assert_eq!(called["result"]["structuredContent"], json!({ "workflows": [] }), "{called:#}");
    let mismatch = send("tools/call", params, Some("workflows_create")).await.expect(400);
    assert!(mismatch["error"]["code"].is_i64(), "{mismatch:#}");
}

#[tokio::test]
async fn without_a_valid_token_the_answer_is_401() {
    let app = TestApp::without_worker(Clock::System).await;
    let json = app.anyone.with("content-type", "application/json");
    for nobody in [json.clone(), json.bearer("pat_x"), json.with("authorization", "Basic eA==")] {
        for message in [initialize("2025-11-25"), ping(1), json!([]), json!("x")] {
            let answer = nobody.post("/mcp", &message).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            answer.refused(401, "UNAUTHENTICATED");
        }
        nobody.send("POST", "/mcp", vec![b'x'; 2 * MIB]).await.refused(401, "UNAUTHENTICATED");
    }
    let acme = app.workspace("acme").await;
    let elsewhere = acme.client.with("content-type", "application/json").with("x-tenant-id", "other");
    elsewhere.post("/mcp", &ping(1)).await.refused(403, "WRONG_PLACE");
}

#[tokio::test]
async fn there_are_no_streams_and_no_sessions_to_end() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    for method in ["GET", "DELETE", "PUT", "PATCH"] {
        let stream = client.with("accept", "text/event-stream").with("mcp-session-id", "s");
        let answer = stream.send(method, "/mcp", "").await;
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
        answer.refused(405, "METHOD_NOT_ALLOWED");
    }
    client.with("mcp-session-id", "nobody's").post("/mcp", &ping(1)).await.expect(200);
}

#[tokio::test]
async fn pages_of_other_origins_and_rebound_names_do_not_reach_it() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    let call = async |name: &str, value: &str| client.with(name, value).post("/mcp", &ping(1)).await;
    for host in ["localhost", "localhost:8787", "127.0.0.1:1", "[::1]:8787"] {
        call("host", host).await.expect(200);
        call("origin", &format!("http://{host}")).await.expect(200);
    }
    for host in
        ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io:8787", "10.0.0.1", "", "a b"]
    {
        let refused = call("host", host).await;
        assert!([400, 403].contains(&refused.status.as_u16()), "{host}: {}", refused.status);
        assert_eq!(refused.body["error"]["code"], -32600, "{host}: {:#}", refused.body);
    }
    for origin in
        ["http://evil.example.com", "https://localhost.evil.example", "null", "localhost", "file://", ""]
    {
        assert_eq!(call("origin", origin).await.expect(403)["error"]["code"], -32600, "{origin}");
    }
}

#[tokio::test]
async fn a_version_that_nobody_knows_is_refused() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    for version in ["2025-13-01", "latest", "1.0"] {
        let refused = client.with("mcp-protocol-version", version).post("/mcp", &ping(1)).await.expect(400);
        assert!(refused["error"]["message"].as_str().unwrap().contains(version), "{refused:#}");
    }
    client.with("mcp-protocol-version", "2025-06-18").post("/mcp", &ping(1)).await.expect(200);
    client.post("/mcp", &ping(1)).await.expect(200);
}

#[tokio::test]
async fn bodies_that_are_no_message_are_json_rpc_errors() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for (body, status, code) in [
        ("", 400, -32700),
        ("{", 400, -32700),
        ("ping", 400, -32700),
        ("{} {}", 400, -32700),
        (deep.as_str(), 400, -32700),
        ("{}", 400, -32600),
        ("7", 400, -32600),
        ("\"ping\"", 400, -32600),
        ("null", 400, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 400, -32600),
    ] {
        let shown = &body[..body.len().min(60)];
        let answer = client.send("POST", "/mcp", body.to_owned()).await;
        assert_eq!(answer.status, status, "{shown}: {:#}", answer.body);
        assert_eq!(answer.body["error"]["code"], code, "{shown}: {:#}", answer.body);
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(!message.contains("struct") && !message.contains("rmcp"), "{shown}: {message}");
    }
    let unknown = json!({ "jsonrpc": "2.0", "id": 1, "method": "workflows/list" });
    assert_eq!(client.post("/mcp", &unknown).await.expect(200)["error"]["code"], -32601);
    for absent in ["prompts/list", "resources/list", "completion/complete", "logging/setLevel"] {
        let answer = McpClient::new(&client).request(absent, &json!({})).await.expect(200);
        assert_eq!(answer["error"]["code"], -32601, "{absent}: {answer:#}");
    }
}

#[tokio::test]
async fn a_message_of_1_mib_is_read_and_one_byte_more_is_413() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    let mut message = ping(1).to_string();
    message.push_str(&" ".repeat(MIB - message.len()));
    client.send("POST", "/mcp", message.clone()).await.expect(200);
    client.send("POST", "/mcp", format!("{message} ")).await.refused(413, "TOO_LARGE");
}

#[tokio::test]
async fn what_is_accepted_and_what_is_sent_is_json() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await.client;
    let json = acme.with("content-type", "application/json; charset=utf-8");
    for accept in
        ["application/json, text/event-stream", "*/*", "application/json", "text/html, application/*;q=0.8"]
    {
        json.with("accept", accept).post("/mcp", &ping(1)).await.expect(200);
    }
    for accept in ["text/event-stream", "text/html"] {
        let refused = json.with("accept", accept).post("/mcp", &ping(1)).await.expect(406);
        assert_eq!(refused["error"]["code"], -32600, "{accept}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let refused = acme.with("content-type", kind).post("/mcp", &ping(1)).await.expect(415);
        assert_eq!(refused["error"]["code"], -32600, "{kind}");
    }
    acme.post("/mcp", &ping(1)).await.expect(415);
}

#[tokio::test]
async fn batches_are_of_the_version_that_has_them() {
    let app = TestApp::without_worker(Clock::System).await;
    let client = client(&app).await;
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let call = json!({ "jsonrpc": "2.0", "id": "c", "method": "tools/call",
                       "params": { "name": "workflows_list", "arguments": {} } });
    let batch =
        json!([ping(1), initialized, call, json!({ "jsonrpc": "2.0", "id": 3, "method": "nothing" })]);
    for of_that_version in [client.clone(), client.with("mcp-protocol-version", "2025-03-26")] {
        let answers = of_that_version.post("/mcp", &batch).await.expect(200);
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 3, "{answers:#?}");
        assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!(1), &json!({})));
        assert_eq!(answers[1]["result"]["structuredContent"], json!({ "workflows": [] }), "{:#}", answers[1]);
        assert_eq!(answers[2]["error"]["code"], -32601, "{:#}", answers[2]);
        let taken = of_that_version.post("/mcp", &json!([initialized, initialized])).await;
        assert_eq!((taken.status.as_u16(), &taken.body), (202, &Value::Null));
    }
    let too_many: Vec<Value> = (0..21).map(ping).collect();
    for (bad, code) in [(json!([]), -32600), (json!(too_many), -32600), (json!([[ping(1)]]), -32600)] {
        let answer = client.post("/mcp", &bad).await;
        let error = if answer.body.is_array() { &answer.body[0]["error"] } else { &answer.body["error"] };
        assert_eq!(error["code"], code, "{bad}: {:#}", answer.body);
    }
    for later in ["2025-06-18", "2025-11-25"] {
        let refused = client.with("mcp-protocol-version", later).post("/mcp", &batch).await.expect(400);
        assert!(refused["error"]["message"].as_str().unwrap().contains("batches"), "{refused:#}");
    }
}

#[tokio::test]
async fn a_request_and_the_route_behind_it_have_one_request_id() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client.with("x-request-id", "mine-1"));
    let absent = json!({ "workflow_id": "0199c000-0000-7000-8000-000000000001" });
    let refused = mcp.refused("workflows_get", &absent, 404, "NOT_FOUND").await;
    assert_eq!(refused["request_id"], "mine-1");
    let answer = mcp.request("ping", &json!({})).await;
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
}
