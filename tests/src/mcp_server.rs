//! An MCP server that stands in for the world: JSON-RPC over streamable HTTP on a port of this machine. It remembers
//! each call of a tool with the headers and the attempt that came with it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A call of a tool, as it arrived.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
    /// What came in `_meta`.
    pub meta: Value,
    /// The `Authorization` header.
    pub authorization: String,
    /// The header `X-Api-Key`.
    pub api_key: String,
    /// The query.
    pub query: String,
}

#[derive(Debug, Default)]
struct Seen {
    calls: Vec<ToolCall>,
    handshakes: usize,
    fails_left: usize,
}

/// The server.
#[derive(Debug, Clone)]
pub struct McpStandIn {
    /// Its address.
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    release: Arc<tokio::sync::Notify>,
}

impl McpStandIn {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let server = Self { url, seen: Arc::default(), release: Arc::default() };
        let router = Router::new().route("/mcp", post(answer)).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<ToolCall> {
        self.seen().calls.clone()
    }

    /// How many sessions were opened.
    pub fn handshakes(&self) -> usize {
        self.seen().handshakes
    }

    /// Lets the next calls of `flaky` be answered with 503.
    pub fn fail_next(&self, times: usize) {
        self.seen().fails_left = times;
    }

    /// Lets a call of `wait` end.
    pub fn release(&self) {
        self.release.notify_one();
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(server): State<McpStandIn>,
    uri: http::Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let reply =
        |result: Value| axum::Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }));
    let params = &request["params"];
    match request["method"].as_str().unwrap_or_default() {
        "initialize" => {
            server.seen().handshakes += 1;
            let result = json!({
                "protocolVersion": params["protocolVersion"],
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "stand-in", "version": "1" },
            });
            ([("mcp-session-id", "session-1")], reply(result)).into_response()
        }
        "tools/list" => {
            let tools = tools();
            let middle = tools.len() / 2;
            let page = match params["cursor"].as_str() {
                None => json!({ "tools": tools[..middle], "nextCursor": "2" }),
                Some(_) => json!({ "tools": tools[middle..] }),
            };
            reply(page).into_response()
        }
        "tools/call" => {
            let header = |name: &str| {
                headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
            };
            let call = ToolCall {
                name: params["name"].as_str().unwrap_or_default().to_owned(),
                arguments: params["arguments"].clone(),
                meta: params["_meta"].clone(),
                authorization: header("authorization"),
                api_key: header("x-api-key"),
                query: uri.query().unwrap_or_default().to_owned(),
            };
            server.seen().calls.push(call.clone());
            called(&server, &call)
                .await
                .map_or_else(|refused| *refused, |result| reply(result).into_response())
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn called(server: &McpStandIn, call: &ToolCall) -> Result<Value, Box<Response>> {
    let text = |text: &str| json!([{ "type": "text", "text": text }]);
    Ok(match call.name.as_str() {
        "add" => {
            let sum =
                call.arguments["a"].as_f64().unwrap_or(0.0) + call.arguments["b"].as_f64().unwrap_or(0.0);
            json!({ "content": text("a sum"), "structuredContent": { "sum": sum } })
        }
        "fail" => json!({ "content": text("no such ticket"), "isError": true }),
        "leak" => {
            json!({ "content": text(&json!({ "saw": call.authorization, "key": call.api_key }).to_string()) })
        }
        "flaky" => {
            let fails = {
                let mut seen = server.seen();
                let fails = seen.fails_left > 0;
                seen.fails_left = seen.fails_left.saturating_sub(1);
                fails
            };
            if fails {
                return Err((StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], "busy")
                    .into_response()
                    .into());
            }
            json!({ "content": text("[1]") })
        }
        "wait" => {
            server.release.notified().await;
            json!({ "content": text("released") })
        }
        _ => json!({ "content": text(call.arguments["message"].as_str().unwrap_or_default()) }),
    })
}

fn tools() -> Vec<Value> {
    let any = json!({ "type": "object" });
    let plain =
        |name: &str| json!({ "name": name, "description": format!("the tool {name}"), "inputSchema": any });
    let mut all: Vec<Value> = ["fail", "leak", "flaky", "wait"].into_iter().map(plain).collect();
    all.push(json!({ "name": "echo", "description": "says it again", "inputSchema": {
        "type": "object", "required": ["message"], "properties": { "message": { "type": "string" } },
    } }));
    all.push(json!({ "name": "add", "description": "adds numbers", "inputSchema": {
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": "number" }, "b": { "type": "number", "default": 40 } },
    } }));
    all
}
