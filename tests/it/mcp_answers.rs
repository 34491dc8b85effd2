//! Answers of MCP servers that are not as they should be: what can be understood of them is used, and an error says which
//! tool, which field, and what was expected.

use std::sync::atomic::{AtomicUsize, Ordering};

use it::{RawMcp, RawReply, RawRequest, Run, TestApp, Workspace, graph, tool_call, with};
use serde_json::{Value, json};

/// Runs a call of the tool `t`, tried again once.
async fn call(acme: &Workspace, mcp: &RawMcp) -> (Run, Value) {
    let server = json!({ "name": format!("Raw {}", mcp.url), "canonical_url": mcp.url });
    let server = acme.client.post("/v1/mcp/servers", &server).await.expect(201);
    let instance = json!({ "server_id": server["id"] });
    let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
    let step = tool_call("a", &[], instance["id"].as_str().unwrap(), "t", &json!({}));
    let run =
        acme.begin(&graph([with(step, &json!({ "retry_count": 1, "retry_backoff_s": 0 }))]), json!({})).await;
    let view = run.finished().await;
    (run, view)
}

fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

fn answer(request: &RawRequest, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": request.message["id"], "result": result }).to_string()
}

#[tokio::test]
async fn sse_is_read_as_whatwg_says() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for size in [1, 2, 3, 7, 4096] {
        for end in ["\n", "\r\n", "\r"] {
            let mcp = RawMcp::calling(move |request| {
                let other = json!({ "jsonrpc": "2.0", "id": 999, "result": {} });
                let lines = [
                    "\u{feff}: hello", "retry: 1", "", "event: heartbeat", "data: {}", "", "event: ping", "data: ping", "",
                    "data:", "", "id: 5", "", "data: no json", "",
                    "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}", "",
                    "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{}}", "",
                ];
                let other_kind = format!("event: result{end}data: {}{end}{end}", answer(request, &text("wrong")));
                let own = format!("event: message{end}data: {}{end}{end}", answer(request, &text("grüße 😀")));
                let stream = format!("{}{end}data: {other}{end}{end}{other_kind}{own}", lines.join(end));
                RawReply::new(200, "text/event-stream; charset=utf-8", stream).cut(size)
            })
            .await;
            let (_, view) = call(&acme, &mcp).await;
            assert_eq!(view["outputs"]["a"], text("grüße 😀"), "{size} {end:?}: {view:#}");
        }
    }
}

#[tokio::test]
async fn a_stream_without_the_answer_is_tried_again() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let calls = AtomicUsize::new(0);
    let mcp = RawMcp::calling(move |request| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => RawReply::new(200, "text/event-stream", "event: heartbeat\ndata: {}\n\n"),
        _ => RawReply::result(request, &text("late")),
    })
    .await;
    let (run, view) = call(&acme, &mcp).await;
    assert_eq!(view["outputs"]["a"], text("late"), "{view:#}");
    let events = run.events().await;
    let failed = events.iter().find(|event| event["event_type"] == "step_failed").unwrap();
    let error = failed["data"]["error"].as_str().unwrap();
    assert!(
        error.contains("\"t\"") && error.contains("stream of events ended without the answer"),
        "{error}"
    );
    // An answer whose event was not ended by an empty line did not come.
    let cut = |request: &RawRequest| {
        RawReply::new(200, "text/event-stream", format!("data: {}", answer(request, &text("x"))))
    };
    let mcp = RawMcp::calling(cut).await;
    let (_, view) = call(&acme, &mcp).await;
    assert_eq!((&view["status"], mcp.requests("tools/call").len()), (&json!("failed"), 2), "{view:#}");
}

#[tokio::test]
async fn unknown_content_is_kept() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let content = json!([{ "type": "hologram", "data": [1], "x": null }, { "type": "text", "text": "known" },
                         { "type": "resource_link", "uri": "a:b" }, { "no": "type" }]);
    let result = json!({ "content": content, "unknown": { "field": 1 } });
    let mcp = RawMcp::calling(move |request| RawReply::result(request, &result)).await;
    let (_, view) = call(&acme, &mcp).await;
    assert_eq!(view["outputs"]["a"], json!({ "content": content }), "{view:#}");
}

#[tokio::test]
async fn wrong_answers_name_tool_field_and_expectation() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for (result, said) in [
        (
            json!({ "result": { "content": "hello" } }),
            "result.content is a string; a list of content blocks was expected",
        ),
        (json!({ "result": { "content": {} } }), "result.content is an object; a list"),
        (json!({ "result": { "isError": "yes", "content": [] } }), "result.isError is a string; a boolean"),
        (json!({ "result": { "toolResult": 5 } }), "result.content is missing; a list"),
        (json!({ "result": [] }), "result is a list; an object was expected"),
        (json!({ "result": "done" }), "result is a string; an object was expected"),
        (
            json!({ "result": { "isError": true, "structuredContent": { "reason": "no stock" } } }),
            "{\"reason\":\"no stock\"}",
        ),
        (json!({ "id": 4711, "result": {} }), "the answer is to another request: its id is 4711, expected"),
        (json!({ "id": null, "result": {} }), "its id is null"),
        (
            json!({ "error": { "code": -32602, "message": "bad a", "data": "a must be b" } }),
            "(-32602): bad a (a must be b)",
        ),
        (json!({ "error": "no" }), "no"),
        (json!({}), "neither result nor error"),
        (json!({ "method": "ping" }), "a request or notification, and no answer"),
    ] {
        let answer = result.clone();
        let mcp = RawMcp::calling(move |request| {
            let mut message = json!({ "jsonrpc": "2.0", "id": request.message["id"] });
            answer.as_object().unwrap().iter().for_each(|(key, value)| message[key] = value.clone());
            RawReply::json(200, &message)
        })
        .await;
        let (_, view) = call(&acme, &mcp).await;
        let error = view["error"].as_str().unwrap_or_default();
        assert!(error.contains("\"t\"") && error.contains(said), "{result}: {error}");
        assert_eq!(view["failure_code"], "MCP_TOOL_FAILED", "{result}");
    }
}

#[tokio::test]
async fn reports_of_http_failures_are_shown() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for (reply, said, calls) in [
        (RawReply::json(422, &json!({ "detail": "title is required" })), "HTTP 422: title is required.", 1),
        (
            RawReply::json(
                422,
                &json!({ "detail": [{ "loc": ["body", "title"], "msg": "Field required" }] }),
            ),
            "HTTP 422: body.title: Field required.",
            1,
        ),
        (RawReply::json(400, &json!({ "message": "title is too long" })), "HTTP 400: title is too long.", 1),
        (RawReply::json(400, &json!({ "error": "bad title" })), "HTTP 400: bad title.", 1),
        (
            RawReply::new(
                422,
                "application/problem+json",
                r#"{"title":"Unprocessable","detail":"no\u0007 such"}"#,
            ),
            "HTTP 422: no  such.",
            1,
        ),
        (RawReply::new(422, "text/plain", "plain words"), "HTTP 422: plain words.", 1),
        (RawReply::new(422, "text/html", "<h1>no</h1>"), "HTTP 422.", 1),
        (RawReply::json(500, &json!({ "detail": "x".repeat(5_000) })), "HTTP 500: xxx", 2),
        (
            RawReply::json(429, &json!({ "detail": "slowly" })).with("retry-after", "0"),
            "HTTP 429: slowly.",
            2,
        ),
    ] {
        let answer = reply.clone();
        let mcp = RawMcp::calling(move |_| answer.clone()).await;
        let (_, view) = call(&acme, &mcp).await;
        let error = view["error"].as_str().unwrap_or_default();
        assert!(error.contains("\"t\"") && error.contains(said), "{reply:?}: {error}");
        assert!(error.len() < 1_200, "{error}");
        assert_eq!(mcp.requests("tools/call").len(), calls, "{error}");
    }
}

#[tokio::test]
async fn a_tools_own_400_is_not_sent_again() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for body in [
        json!({ "reason": "amount" }),
        json!({ "error": "The yoga session on Monday is fully booked" }),
        json!({ "message": "Account initialization pending" }),
        json!({ "jsonrpc": "2.0", "id": "own", "error": { "code": 1, "message": "session not found" } }),
    ] {
        let reply = body.clone();
        let mcp = RawMcp::start(move |request| match request.method() {
            "initialize" => RawReply::usual(request).with("mcp-session-id", "one"),
            "tools/call" => {
                let mut reply = reply.clone();
                if reply["id"] == "own" {
                    reply["id"] = request.message["id"].clone();
                }
                RawReply::json(400, &reply)
            }
            _ => RawReply::usual(request),
        })
        .await;
        let (_, view) = call(&acme, &mcp).await;
        assert_eq!(view["status"], "failed", "{body}: {view:#}");
        assert_eq!(mcp.requests("tools/call").len(), 1, "{body}");
    }
}

#[tokio::test]
async fn a_forgotten_session_is_opened_again_once() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for (status, body) in [
        (404, json!({ "detail": "whatever" })),
        (400, Value::Null),
        (
            400,
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": "Bad Request: No valid session ID provided" } }),
        ),
        (400, json!({ "error": "Session not found" })),
        (400, json!({ "detail": "Server not initialized" })),
    ] {
        let (opened, reply) = (AtomicUsize::new(0), body.clone());
        let mcp = RawMcp::start(move |request| match request.method() {
            "initialize" => {
                let number = opened.fetch_add(1, Ordering::SeqCst);
                RawReply::usual(request).with("mcp-session-id", &format!("session-{number}"))
            }
            "tools/call" if request.header("mcp-session-id") == "session-0" => match &reply {
                Value::Null => RawReply::new(status, "text/html", ""),
                reply => RawReply::json(status, reply),
            },
            "tools/call" => RawReply::result(request, &text(&request.header("mcp-session-id"))),
            _ => RawReply::usual(request),
        })
        .await;
        let (run, view) = call(&acme, &mcp).await;
        assert_eq!(view["outputs"]["a"], text("session-1"), "{body}: {view:#}");
        assert!(run.events().await.iter().all(|event| event["event_type"] != "step_failed"), "{body}");
        let attempts: Vec<Value> = mcp
            .requests("tools/call")
            .iter()
            .map(|request| request.message["params"]["_meta"].clone())
            .collect();
        assert_eq!((attempts.len(), &attempts[0]), (2, &attempts[1]), "the same attempt");
    }
    // One that forgets every session: the second time its words are shown.
    let mcp = RawMcp::start(|request| match request.method() {
        "initialize" => RawReply::usual(request).with("mcp-session-id", "same"),
        "tools/call" => RawReply::json(400, &json!({ "detail": "no such session" })),
        _ => RawReply::usual(request),
    })
    .await;
    let (_, view) = call(&acme, &mcp).await;
    let error = view["error"].as_str().unwrap_or_default();
    assert!(error.contains("HTTP 400: no such session"), "{error}");
    assert_eq!((mcp.requests("tools/call").len(), mcp.requests("initialize").len()), (2, 2));
}
