//! `catalog_bff_request` reaches routes of `/v1/mcp/` and no other, however a path is written, in one process and with
//! the API at an address, where a URL's parser reads the path once more.

use it::{McpClient, TestApp};
use serde_json::json;
use shared::types::clock::Clock;

/// Every one of these is `/v1/pats`, `/v1/workflows` or nothing to somebody who undoes enough escapes.
const OUTSIDE: &[&str] = &[
    "",
    "/",
    "/v1/mcp",
    "/v1/mcp/",
    "v1/mcp/servers",
    "//v1/mcp/servers",
    "http://127.0.0.1/v1/mcp/servers",
    "/v1/workflows",
    "/v1/MCP/servers",
    "/v1/%6dcp/servers",
    "/v1/mcp/../pats",
    "/v1/mcp/..",
    "/v1/mcp/./servers",
    "/v1/mcp/%2e%2e/pats",
    "/v1/mcp/%2E%2E/pats",
    "/v1/mcp/.%2e/pats",
    "/v1/mcp/%2e./pats",
    "/v1/mcp/%2e/servers",
    "/v1/mcp/%252e%252e/pats",
    "/v1/mcp/%25252e%25252e/pats",
    "/v1/mcp/%2525252525252e%2525252525252e/pats",
    "/v1/mcp/..%2fpats",
    "/v1/mcp/..%2Fpats",
    "/v1/mcp/%2e%2e%2fpats",
    "/v1/mcp/servers%2f..%2f..%2fpats",
    "/v1/mcp/servers/%2fpats",
    "/v1/mcp/servers/..%5c..%5cpats",
    "/v1/mcp/servers/..\\..\\pats",
    "/v1/mcp/\\..\\pats",
    "/v1/mcp//servers",
    "/v1/mcp/servers/",
    "/v1/mcp/servers?limit=1",
    "/v1/mcp/servers#x",
    "/v1/mcp/servers%00",
    "/v1/mcp/servers%0d%0aX-Tenant-Id:%20other",
    "/v1/mcp/servers\t/../../pats",
    "/v1/mcp/.\t./pats",
    "/v1/mcp/%ff",
];

#[tokio::test]
async fn a_path_that_leaves_the_catalog_is_refused_however_it_is_written() {
    let app = TestApp::without_worker(Clock::System).await;
    let mcp = McpClient::new(&app.workspace("acme").await.client);
    for path in OUTSIDE {
        for method in ["GET", "POST", "DELETE"] {
            let call = json!({ "method": method, "path": path });
            let error = mcp.refused("catalog_bff_request", &call, 422, "INVALID_REQUEST").await;
            assert!(error["error"].as_str().unwrap().starts_with("path: "), "{path}: {error:#}");
        }
    }
}

#[tokio::test]
async fn a_path_inside_the_catalog_is_found_however_it_is_escaped() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = McpClient::new(&acme.client);
    let new = json!({ "name": "Desk", "canonical_url": "http://127.0.0.1:1/mcp" });
    let id = acme.client.post("/v1/mcp/servers", &new).await.expect(201)["id"].as_str().unwrap().to_owned();
    for path in ["/v1/mcp/servers", "/v1/mcp/%73ervers", "/v1/mcp/serv%65rs"] {
        let listed = mcp.call("catalog_bff_request", &json!({ "method": "GET", "path": path })).await;
        assert_eq!(listed["body"]["servers"][0]["id"], *id, "{path}");
    }
    // One segment stays one segment.
    for path in [format!("/v1/mcp/servers%2f{id}"), format!("/v1/mcp/servers%2F{id}")] {
        mcp.refused("catalog_bff_request", &json!({ "method": "GET", "path": path }), 404, "NO_SUCH_ROUTE")
            .await;
    }
    // A query's value stays one value, and its name one name.
    let query = json!({ "q": "a&limit=0#/../..", "limit": 5 });
    let call = json!({ "method": "GET", "path": "/v1/mcp/tools", "query": query });
    assert_eq!(mcp.call("catalog_bff_request", &call).await["body"], json!({ "tools": [] }));
    let call = json!({ "method": "GET", "path": "/v1/mcp/tools", "query": { "limit=5&q": "x" } });
    mcp.refused("catalog_bff_request", &call, 422, "INVALID_REQUEST").await;
}
