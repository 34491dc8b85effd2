//! An MCP client of the product: JSON-RPC over `POST /mcp`, and calls of tools as a scenario reads them.

use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// Somebody who speaks MCP.
#[derive(Debug, Clone)]
pub struct McpClient {
    /// Sends the messages.
    pub http: Client,
}

impl McpClient {
    /// With this client's token.
    pub fn new(client: &Client) -> Self {
        let http = client.with("content-type", "application/json");
        Self { http: http.with("mcp-protocol-version", "2025-11-25") }
    }

    /// Sends a request.
    pub async fn request(&self, method: &str, params: &Value) -> Answer {
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        self.http.post("/mcp", &message).await
    }

    /// The result of a request that succeeds.
    ///
    /// # Panics
    /// When it does not.
    pub async fn result(&self, method: &str, params: &Value) -> Value {
        let answer = self.request(method, params).await.expect(200);
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)), "{answer:#}");
        assert!(answer["error"].is_null(), "{answer:#}");
        answer["result"].clone()
    }

    /// The tools.
    pub async fn tools(&self) -> Vec<Value> {
        let result = self.result("tools/list", &json!({})).await;
        result["tools"].as_array().cloned().unwrap_or_default()
    }

    /// What a tool answers, as structured content; the text says the same.
    ///
    /// # Panics
    /// When the tool fails.
    pub async fn call(&self, tool: &str, arguments: &Value) -> Value {
        let result = self.result("tools/call", &json!({ "name": tool, "arguments": arguments })).await;
        assert_eq!(result["isError"], false, "{tool}: {result:#}");
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        let text: Value = serde_json::from_str(text).expect("the text is JSON");
        assert_eq!(text, result["structuredContent"], "{tool}");
        result["structuredContent"].clone()
    }

    /// The error of a tool that fails with this status and code.
    ///
    /// # Panics
    /// When it does not.
    pub async fn refused(&self, tool: &str, arguments: &Value, status: u16, code: &str) -> Value {
        let result = self.result("tools/call", &json!({ "name": tool, "arguments": arguments })).await;
        assert_eq!(result["isError"], true, "{tool}: {result:#}");
        assert!(result["structuredContent"].is_null(), "an error does not satisfy the output's schema");
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        let error: Value = serde_json::from_str(text).expect("the text is JSON");
        assert_eq!((&error["status"], &error["code"]), (&json!(status), &json!(code)), "{tool}: {error:#}");
        assert!(error["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{error:#}");
        error
    }
}
