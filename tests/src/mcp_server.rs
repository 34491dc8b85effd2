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

use crate::client::Workspace;

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
    cancelled: usize,
    fails_left: usize,
}

/// The server.
#[derive(Debug, Clone)]
pub struct McpStandIn {
    /// Its address.
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    release: Arc<tokio::sync::Notify>,
    tools: Arc<[Value]>,
    /// How it answers calls of tools of its own.
    answer: Option<fn(&ToolCall) -> Value>,
}

impl McpStandIn {
    /// Starts one with tools for every purpose.
    pub async fn start() -> Self {
        Self::serve(tools(), None).await
    }

    /// Starts one with these tools, whose calls have such results.
    pub async fn answering(tools: Vec<Value>, answer: fn(&ToolCall) -> Value) -> Self {
        Self::serve(tools, Some(answer)).await
    }

    async fn serve(tools: Vec<Value>, answer_own: Option<fn(&ToolCall) -> Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let (seen, release) = (Arc::default(), Arc::default());
        let server = Self { url, seen, release, tools: tools.into(), answer: answer_own };
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

    /// How many calls were taken back.
    pub fn cancelled(&self) -> usize {
        self.seen().cancelled
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
            let tools = &server.tools;
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
        "notifications/cancelled" => {
            server.seen().cancelled += 1;
            StatusCode::ACCEPTED.into_response()
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn called(server: &McpStandIn, call: &ToolCall) -> Result<Value, Box<Response>> {
    if let Some(answer) = server.answer {
        return Ok(answer(call));
    }
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

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_default().to_owned()
}

impl Workspace {
    /// Registers the server at this address, publishes its tools, and returns its id.
    pub async fn mcp_server(&self, url: &str) -> String {
        let new = json!({ "name": "Back office", "canonical_url": url });
        let server = id(&self.client.post("/v1/mcp/servers", &new).await.expect(201));
        let path = format!("/v1/mcp/servers/{server}");
        self.client.post(&format!("{path}/discover"), &json!({})).await.expect(200);
        self.client.post(&format!("{path}/versions"), &json!({ "activate": true })).await.expect(201);
        server
    }

    /// The id of an instance of the server at this address.
    pub async fn mcp_instance(&self, url: &str) -> String {
        let new = json!({ "server_id": self.mcp_server(url).await });
        id(&self.client.post("/v1/mcp/instances", &new).await.expect(201))
    }

    /// Keeps an API key of a system outside, and returns its connection's id.
    pub async fn connection(&self, key: &str) -> String {
        let new = json!({ "display_name": "C", "provider": "tickets", "service": "api_key",
                          "credentials": { "api_key": key } });
        id(&self.client.post("/v1/connections", &new).await.expect(201))
    }

    /// The same, for the host of the server at this address.
    pub async fn connection_to(&self, key: &str, url: &str) -> String {
        let host = url.split('/').nth(2).unwrap_or_default();
        let new = json!({ "display_name": "C", "provider": "tickets", "service": "api_key",
                          "credentials": { "api_key": key }, "allowed_hosts": [host] });
        id(&self.client.post("/v1/connections", &new).await.expect(201))
    }

    /// Lets calls of an instance carry a connection's key as bearer.
    pub async fn mcp_profile(&self, instance: &str, connection: &str) -> String {
        let spec = json!({ "connection_id": connection,
                           "inject": [{ "credential_key": "api_key", "as": "bearer" }] });
        let profiles = format!("/v1/mcp/instances/{instance}/config-profiles");
        id(&self.client.post(&profiles, &json!({ "name": "P", "source_spec": spec })).await.expect(201))
    }
}
