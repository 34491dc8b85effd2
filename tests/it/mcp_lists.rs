//! Lists of tools that come page by page, and sessions that are kept, shared and given up.

use it::{RawMcp, RawReply, RawRequest, TestApp, Workspace};
use serde_json::{Value, json};

/// A server whose list of tools has these pages, by their cursors.
async fn paged(page: impl Fn(&str) -> Value + Send + Sync + 'static) -> RawMcp {
    RawMcp::start(move |request| match request.method() {
        "initialize" => RawReply::usual(request).with("mcp-session-id", "one"),
        "tools/list" => {
            let cursor = request.message["params"]["cursor"].as_str().unwrap_or_default();
            RawReply::result(request, &page(cursor))
        }
        _ => RawReply::usual(request),
    })
    .await
}

fn tools(names: impl IntoIterator<Item = u32>) -> Value {
    let tool = |n| json!({ "name": format!("t{n:04}"), "inputSchema": { "type": "object" } });
    names.into_iter().map(tool).collect()
}

async fn server(acme: &Workspace, mcp: &RawMcp) -> String {
    let new = json!({ "name": format!("Paged {}", mcp.url), "canonical_url": mcp.url });
    acme.client.post("/v1/mcp/servers", &new).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn discover(acme: &Workspace, mcp: &RawMcp) -> it::Answer {
    let path = format!("/v1/mcp/servers/{}/discover", server(acme, mcp).await);
    acme.client.post(&path, &json!({})).await
}

fn cursors(mcp: &RawMcp) -> Vec<String> {
    let cursor =
        |request: &RawRequest| request.message["params"]["cursor"].as_str().unwrap_or("none").to_owned();
    mcp.requests("tools/list").iter().map(cursor).collect()
}

#[tokio::test]
async fn every_page_is_read_until_one_names_no_next() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for end in [json!(null), json!("")] {
        let mcp = paged(move |cursor| match cursor {
            "" => json!({ "tools": tools(0..3), "nextCursor": "two" }),
            // A page may be empty and still not be the last.
            "two" => json!({ "tools": [], "nextCursor": "three" }),
            _ => json!({ "tools": tools(3..5), "nextCursor": end }),
        })
        .await;
        let found = discover(&acme, &mcp).await.expect(200);
        let names: Vec<&str> =
            found["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["t0000", "t0001", "t0002", "t0003", "t0004"], "{found:#}");
        assert_eq!(cursors(&mcp), ["none", "two", "three"]);
    }
}

#[tokio::test]
async fn lists_without_an_end_are_given_up_in_clear_words() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let circle = paged(|_| json!({ "tools": tools(0..1), "nextCursor": "again" })).await;
    let refused = discover(&acme, &circle).await.refused(422, "MCP_SERVER");
    assert!(refused["error"].as_str().unwrap().contains("circle"), "{refused:#}");
    assert_eq!(cursors(&circle), ["none", "again"]);
    let endless = paged(|cursor| {
        let next = cursor.parse::<u32>().unwrap_or(0) + 1;
        json!({ "tools": [], "nextCursor": next.to_string() })
    })
    .await;
    let refused = discover(&acme, &endless).await.refused(422, "MCP_SERVER");
    assert!(refused["error"].as_str().unwrap().contains("more than 100 pages"), "{refused:#}");
    assert_eq!(cursors(&endless).len(), 100);
}

#[tokio::test]
async fn a_session_is_opened_once_and_given_up_when_its_server_ends_it() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ends = std::sync::Arc::clone(&ended);
    let mcp = RawMcp::start(move |request| match request.method() {
        "initialize" => {
            ends.store(false, std::sync::atomic::Ordering::SeqCst);
            RawReply::usual(request).with("mcp-session-id", "one")
        }
        "tools/list" if ends.load(std::sync::atomic::Ordering::SeqCst) => {
            RawReply::json(404, &json!({ "error": "no such session" }))
        }
        _ => RawReply::usual(request),
    })
    .await;
    let path = format!("/v1/mcp/servers/{}/discover", server(&acme, &mcp).await);
    let handshakes = || mcp.requests("initialize").len();
    for _ in 0..3 {
        acme.client.post(&path, &json!({})).await.expect(200);
    }
    assert_eq!(handshakes(), 1, "the session is kept");
    // Another tenant has one of its own, to the same address.
    let other = app.workspace("other").await;
    discover(&other, &mcp).await.expect(200);
    assert_eq!(handshakes(), 2);
    ended.store(true, std::sync::atomic::Ordering::SeqCst);
    acme.client.post(&path, &json!({})).await.expect(200);
    assert_eq!(handshakes(), 3, "a session that has ended is opened again");
    acme.client.post(&path, &json!({})).await.expect(200);
    assert_eq!(handshakes(), 3);
}
