//! From registering a server to validating it, with servers that describe their tools badly or want credentials.

use it::{RawMcp, RawReply, RawRequest, TestApp, Workspace, graph, tool_call};
use serde_json::{Value, json};
use shared::types::clock::Clock;

async fn register(acme: &Workspace, url: &str, auth_mode: &str) -> String {
    let new = json!({ "name": format!("Server {url}"), "canonical_url": format!(" {url}\n"), "auth_mode": auth_mode });
    let server = acme.client.post("/v1/mcp/servers", &new).await.expect(201);
    format!("/v1/mcp/servers/{}", server["id"].as_str().unwrap())
}

async fn offering(tools: Value) -> RawMcp {
    RawMcp::start(move |request| match request.method() {
        "tools/list" => RawReply::result(request, &json!({ "tools": tools })),
        "tools/call" => {
            RawReply::result(request, &json!({ "structuredContent": request.message["params"]["arguments"] }))
        }
        _ => RawReply::usual(request),
    })
    .await
}

/// A server that asks for this bearer.
async fn guarded(bearer: &'static str) -> RawMcp {
    RawMcp::start(move |request| match request.header("authorization") == format!("Bearer {bearer}") {
        true => RawReply::usual(request),
        false => RawReply::json(401, &json!({ "error": "invalid_token" }))
            .with("www-authenticate", "Bearer realm=\"x\""),
    })
    .await
}

fn names(of: &Value) -> Vec<&str> {
    of.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story, call by call")]
async fn a_schema_that_cannot_be_checked_leaves_its_tool_usable() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mut deep = json!({ "type": "string" });
    (0..60).for_each(|_| deep = json!({ "allOf": [deep] }));
    let parts = [
        ("ahead", "pattern", json!({ "pattern": "^(?=.*[A-Z]).+$" })),
        ("back", "pattern", json!({ "pattern": "(a)\\1" })),
        ("remote", "$ref", json!({ "$ref": "https://example.com/schema.json#/x" })),
        ("nowhere", "$ref", json!({ "$ref": "#/definitions/gone" })),
        ("kind", "type", json!({ "type": "text" })),
        ("tuple", "items", json!({ "items": [{ "type": "string" }] })),
        ("draft4", "exclusiveMinimum", json!({ "minimum": 1, "exclusiveMinimum": true })),
        ("draft3", "required", json!({ "required": true })),
        ("no_schema", "properties", json!("string")),
        ("format", "", json!({ "format": "hologram" })),
        ("circle", "", json!({ "$ref": "#" })),
        ("deep", "", deep),
        ("fine", "", json!({ "type": "string", "default": 5 })),
    ];
    let tool = |(name, _, part): &(&str, &str, Value)| {
        let schema = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "number" }, "x": part } });
        json!({ "name": name, "inputSchema": schema })
    };
    let mut tools: Vec<Value> = parts.iter().map(tool).collect();
    tools.push(json!({ "name": "dialect", "inputSchema": { "$schema": "https://example.com/dialect", "type": "object", "required": ["n"] } }));
    let mcp = offering(json!(tools)).await;
    let server = register(&acme, &mcp.url, "none").await;
    let found = acme.client.post(&format!("{server}/discover"), &json!({})).await.expect(200);
    let published = json!({ "activate": true, "tools": found["tools"] });
    let published = acme.client.post(&format!("{server}/versions"), &published).await.expect(201);
    assert_eq!(published["tool_count"], tools.len(), "{found:#}");
    let valid = acme.client.post(&format!("{server}/validate"), &json!({})).await.expect(200);
    assert_eq!(valid["valid"], true, "{valid:#}");
    for warnings in [&found["warnings"], &published["warnings"]] {
        let warnings = warnings.as_array().unwrap();
        for (name, keyword, _) in &parts {
            let of: Vec<&Value> = warnings.iter().filter(|warning| warning["tool"] == *name).collect();
            assert_eq!(of.len(), usize::from(!keyword.is_empty()), "{name}: {of:?}");
            for warning in of {
                assert_eq!(warning["keyword"], *keyword, "{warning:#}");
                assert!(
                    warning["path"].as_str().unwrap().starts_with("input_schema.properties.x"),
                    "{warning:#}"
                );
            }
        }
        assert!(
            warnings.iter().any(|warning| warning["tool"] == "dialect" && warning["keyword"] == "$schema")
        );
    }
    let instance = json!({ "server_id": published["server_id"] });
    let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
    let instance = instance["id"].as_str().unwrap();
    for (name, keyword, _) in &parts {
        let value = if *name == "circle" { json!({ "n": 2 }) } else { json!("Abc") };
        let value = if *name == "draft4" { json!(5) } else { value };
        let step = tool_call("a", &[], instance, name, &json!({ "n": 1, "x": value }));
        let report = acme
            .client
            .post("/v1/workflows/validate", &json!({ "graph": graph([step.clone()]) }))
            .await
            .expect(200);
        let issues: Vec<&Value> = report["issues"].as_array().unwrap().iter().collect();
        assert!(issues.iter().all(|issue| issue["code"] == "mcp_schema_unchecked"), "{name}: {report:#}");
        assert_eq!(issues.len(), usize::from(!keyword.is_empty()), "{name}: {report:#}");
        let done = acme.begin(&graph([step]), json!({})).await.finished().await;
        assert_eq!(done["outputs"]["a"], json!({ "n": 1, "x": value }), "{name}: {done:#}");
        // The rest of the schema holds.
        let wrong = tool_call("a", &[], instance, name, &json!({ "n": "{{ input.n }}" }));
        let failed = acme.begin(&graph([wrong]), json!({ "n": "text" })).await.finished().await;
        assert!(failed["error"].as_str().unwrap().contains("tool_args.n"), "{name}: {failed:#}");
    }
}

#[tokio::test]
async fn tools_that_are_described_badly_do_not_hide_the_others() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let object = json!({ "type": "object" });
    let mcp = offering(json!([
        { "name": "none" }, { "name": "null", "inputSchema": null }, { "name": "text", "inputSchema": "object" },
        { "name": "list", "inputSchema": [] }, { "name": "true", "inputSchema": true, "description": 5 },
        { "name": "out", "inputSchema": object, "outputSchema": "x", "annotations": [], "title": 5, "icons": [{}] },
        { "inputSchema": object }, { "name": 5, "inputSchema": object }, "tool", null,
        { "name": "", "inputSchema": object }, { "name": "a\nb", "inputSchema": object },
        { "name": "good", "inputSchema": object }, { "name": "good", "inputSchema": object },
        { "name": "large", "inputSchema": { "type": "object", "description": "x".repeat(300_000) } },
    ]))
    .await;
    let server = register(&acme, &mcp.url, "none").await;
    let found = acme.client.post(&format!("{server}/discover"), &json!({})).await.expect(200);
    assert_eq!(
        names(&found["tools"]),
        ["none", "null", "text", "list", "true", "out", "good", "large"],
        "{found:#}"
    );
    let said = found["warnings"].to_string();
    for warning in [
        "inputSchema is missing; an object was expected",
        "inputSchema is a string; an object was expected",
        "inputSchema is a list",
        "inputSchema is a boolean",
        "outputSchema is a string",
        "annotations is a list",
        "has no name that is a string",
        "the tool is a string",
        "the tool is null",
        "two tools of this name",
        "control characters",
        "bytes; at most",
    ] {
        assert!(said.contains(warning), "{warning}: {said}");
    }
    acme.client.post(&format!("{server}/versions"), &json!({ "activate": true })).await.expect(201);
    for (result, said) in [
        (json!({}), "in the answer to tools/list, result.tools is missing; a list was expected"),
        (json!({ "tools": {} }), "result.tools is an object; a list was expected"),
        (json!({ "tools": [], "nextCursor": 5 }), "result.nextCursor is a number; a string was expected"),
        (json!([]), "result is a list; an object was expected"),
        (json!({ "tools": [5] }), "no tools that can be used"),
    ] {
        let mcp = RawMcp::start(move |request| match request.method() {
            "tools/list" => RawReply::result(request, &result),
            _ => RawReply::usual(request),
        })
        .await;
        let server = register(&acme, &mcp.url, "none").await;
        let refused = acme.client.post(&format!("{server}/discover"), &json!({})).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body["error"].as_str().unwrap().contains(said), "{:#}", refused.body);
    }
}

#[tokio::test]
async fn the_documented_order_needs_no_connection() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mcp =
        RawMcp::calling(|request| RawReply::result(request, &json!({ "structuredContent": { "ok": true } })))
            .await;
    let server = register(&acme, &mcp.url, "token").await;
    let found = acme.client.post(&format!("{server}/discover"), &json!({})).await.expect(200);
    assert_eq!((&found["tool_count"], &found["authenticated"]), (&json!(1), &json!(false)));
    let version = json!({ "version": "1.0.0", "tools": found["tools"], "activate": true });
    acme.client.post(&format!("{server}/versions"), &version).await.expect(201);
    let valid = acme.client.post(&format!("{server}/validate"), &json!({})).await.expect(200);
    assert_eq!(valid["valid"], true, "{valid:#}");
    let instance = json!({ "server_id": server.rsplit('/').next() });
    let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
    let step = tool_call("a", &[], instance["id"].as_str().unwrap(), "t", &json!({}));
    let done = acme.begin(&graph([step]), json!({})).await.finished().await;
    assert_eq!(done["outputs"]["a"], json!({ "ok": true }), "{done:#}");
}

#[tokio::test]
async fn a_server_that_wants_credentials_says_how_to_name_them() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let mcp = guarded("tok-0001-0002").await;
    let server = register(&acme, &mcp.url, "token").await;
    let discover = format!("{server}/discover");
    let refused = acme.client.post(&discover, &json!({})).await.refused(422, "CONNECTION_REQUIRED");
    let error = refused["error"].as_str().unwrap();
    for part in ["HTTP 401", "POST /v1/connections", "connection_id", "config profile"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let validity = acme.client.post(&format!("{server}/validate"), &json!({})).await.expect(200);
    assert!(validity["checks"][1]["message"].as_str().unwrap().contains("connection_id"), "{validity:#}");
    let wrong = acme.connection_to("tok-wrong-0001", &mcp.url).await;
    let refused =
        acme.client.post(&discover, &json!({ "connection_id": wrong })).await.refused(422, "MCP_SERVER");
    assert!(
        refused["error"].as_str().unwrap().contains("does not take the connection's credentials"),
        "{refused:#}"
    );
    let right = acme.connection_to("tok-0001-0002", &mcp.url).await;
    let found = acme.client.post(&discover, &json!({ "connection_id": right })).await.expect(200);
    assert_eq!(found["authenticated"], true);

    // An instance without a connection says the same at its call, and one with binds discovery to its own.
    let instance = json!({ "server_id": server.rsplit('/').next() });
    let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
    let instance = instance["id"].as_str().unwrap();
    let step = graph([tool_call("a", &[], instance, "t", &json!({}))]);
    let failed = acme.begin(&step, json!({})).await.finished().await;
    assert_eq!(failed["failure_code"], "CONNECTION_UNAVAILABLE", "{failed:#}");
    assert!(failed["error"].as_str().unwrap().contains("config profile"), "{failed:#}");
    acme.mcp_profile(instance, &right).await;
    let found = acme.client.post(&discover, &json!({})).await.expect(200);
    assert_eq!(found["authenticated"], true);
    // A failing secret store is not a reason to ask without.
    let fresh = acme.connection("tok-0001-0003").await;
    app.stores.secrets.set_down(true);
    let before = mcp.requests("initialize").len();
    acme.client
        .post(&discover, &json!({ "connection_id": fresh }))
        .await
        .refused(503, "DEPENDENCY_UNAVAILABLE");
    assert_eq!(mcp.requests("initialize").len(), before, "nobody asked");
}

#[tokio::test]
async fn dropping_tools_of_the_active_version_is_confirmed() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = RawMcp::start(|request: &RawRequest| RawReply::usual(request)).await;
    let server = register(&acme, &mcp.url, "none").await;
    let versions = format!("{server}/versions");
    let tools = |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({ "name": name })).collect() };
    let all = json!({ "activate": true, "tools": tools(&["a", "b", "c"]) });
    acme.client.post(&versions, &all).await.expect(201);
    let fewer = json!({ "activate": true, "tools": tools(&["b", "d"]) });
    let refused = acme.client.post(&versions, &fewer).await.refused(409, "TOOLS_DROPPED");
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("a, c.") && error.contains("confirm_dropped"), "{error}");
    // The same for tools that were discovered, and for a version that does not count yet.
    acme.client.post(&format!("{server}/discover"), &json!({})).await.expect(200);
    acme.client.post(&versions, &json!({ "activate": true })).await.refused(409, "TOOLS_DROPPED");
    let later = json!({ "tools": tools(&["b"]), "confirm_dropped": false });
    acme.client.post(&versions, &later).await.refused(409, "TOOLS_DROPPED");
    assert_eq!(acme.client.get(&versions).await.expect(200)["versions"].as_array().unwrap().len(), 1);
    let confirmed = json!({ "activate": true, "tools": tools(&["b", "d"]), "confirm_dropped": true });
    let version = acme.client.post(&versions, &confirmed).await.expect(201);
    assert_eq!((&version["number"], &version["active"]), (&json!(2), &json!(true)));
    let more = json!({ "activate": true, "tools": tools(&["b", "d", "e"]) });
    acme.client.post(&versions, &more).await.expect(201);
}

#[tokio::test]
async fn addresses_are_trimmed_or_refused() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let new = |name: &str, url: &str| json!({ "name": name, "canonical_url": url });
    let made = acme
        .client
        .post("/v1/mcp/servers", &new("One", "\u{feff} https://a.example/mcp \r\n"))
        .await
        .expect(201);
    assert_eq!(made["canonical_url"], "https://a.example/mcp");
    let path = format!("/v1/mcp/servers/{}", made["id"].as_str().unwrap());
    let patched =
        acme.client.patch(&path, &json!({ "canonical_url": "\thttps://b.example/mcp\n" })).await.expect(200);
    assert_eq!(patched["canonical_url"], "https://b.example/mcp");
    for bad in [
        "https://a.exa\nmple/mcp",
        "https://a.example/m cp",
        " ",
        "https://a.example/\u{0}mcp",
        "https://a.exam\u{200b}ple",
    ] {
        for answer in [
            acme.client.post("/v1/mcp/servers", &new("Two", bad)).await,
            acme.client.patch(&path, &json!({ "canonical_url": bad })).await,
        ] {
            let refused = answer.refused(422, "INVALID_REQUEST");
            assert!(refused["error"].as_str().unwrap().starts_with("canonical_url: must not"), "{refused:#}");
        }
    }
}
