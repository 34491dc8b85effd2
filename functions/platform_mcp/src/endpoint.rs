//! `POST /mcp`. The SDK speaks the protocol; what is added here is permission, the API's limit on bodies, answers
//! in JSON whatever goes wrong, and the batches of MCP 2025-03-26. Every other method is refused with 405, as the
//! transport asks of a server without streams and sessions.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::api::{CanConnect, CommonErrors, ErrorBody, read_bytes};
use shared::types::json_numbers::{self, Unrepresentable, unrepresentable};
use shared::types::limits::LARGEST_BODY;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::api::{Answer, Api};
use crate::server::{Server, failure};

type Service = StreamableHttpService<Server, NeverSessionManager>;

const INVALID_REQUEST: i32 = -32600;
const PARSE_ERROR: i32 = -32700;
const INTERNAL_ERROR: i32 = -32603;
/// The one version of MCP that has batches; a request without a version is taken to be of it.
const WITH_BATCHES: &str = "2025-03-26";
const LARGEST_BATCH: usize = 20;

/// The MCP server of a process, made at its first request.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    api: Api,
    service: OnceLock<Service>,
}

impl Endpoint {
    /// Whose tools lead to this API.
    pub fn new(api: Api) -> Self {
        Self(Arc::new(Inner { api, service: OnceLock::new() }))
    }

    fn service(&self, state: &AppState) -> &Service {
        self.0.service.get_or_init(|| {
            let settings = &state.config.platform_mcp;
            let server = Server::new(self.0.api.clone(), settings.risk_tools);
            let config = StreamableHttpServerConfig::default()
                .with_legacy_session_mode(false)
                .with_json_response(true)
                .with_allowed_hosts(&settings.allowed_hosts)
                .with_allowed_origins(&settings.allowed_origins)
                .enforce_origin_validation()
                .with_max_request_body_bytes(LARGEST_BODY);
            StreamableHttpService::new(move || Ok(server.clone()), Arc::default(), config)
        })
    }
}

/// A JSON-RPC message. Clients of MCP 2025-03-26 may send a list of them.
#[derive(ToSchema)]
#[schema(as = McpMessage, example = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }))]
#[allow(dead_code, reason = "the SDK reads messages; this describes them")]
pub struct Message {
    /// `2.0`.
    jsonrpc: String,
    /// Absent in a notification.
    id: Option<i64>,
    /// Such as `tools/call`.
    method: String,
    /// What the method takes.
    #[schema(value_type = Option<Object>)]
    params: Option<Value>,
}

/// The response to a message, or to each message of a batch that is no notification.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = McpResponse)]
#[allow(dead_code, reason = "the SDK writes responses; this describes them")]
pub enum Answered {
    /// To a message.
    One(HashMap<String, Value>),
    /// To a batch.
    Batch(Vec<HashMap<String, Value>>),
}

/// Why a message was not taken: as a JSON-RPC error, or as the API refuses a caller.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = McpRefused)]
#[allow(dead_code, reason = "the SDK writes them; this describes them")]
pub enum Refused {
    /// `jsonrpc`, `error` with `code` and `message`, and the message's `id` when it could be read.
    Protocol {
        /// `2.0`.
        jsonrpc: String,
        /// `code` and `message`.
        #[schema(value_type = Object)]
        error: Value,
    },
    /// The API's own.
    Api(ErrorBody),
}

/// Speak MCP (streamable HTTP, stateless): the API as tools.
///
/// The body is a JSON-RPC message of the Model Context Protocol (`initialize`, `tools/list`, `tools/call`, `ping`, or
/// `server/discover` of 2026-07-28); notifications are answered with 202. Any valid token may connect; each tool needs
/// the role and scope of the route behind it.
#[utoipa::path(post, path = "/mcp", tag = "mcp", request_body = Message,
               params(("MCP-Protocol-Version" = Option<String>, Header, example = "2025-11-25")),
               responses((status = 200, body = Answered, description = "a JSON-RPC response, or those to a batch"),
                         (status = 202, description = "a notification was taken"),
                         CommonErrors,
                         (status = 400, body = Refused, description = "no message of the protocol"),
                         (status = 403, body = Refused, description = "not allowed, or from a page that may not call"),
                         (status = 404, body = Refused, description = "no such method"),
                         (status = 406, body = Refused, description = "the caller accepts no JSON"),
                         (status = 413, body = Refused, description = "larger than 1 MiB"),
                         (status = 415, body = Refused, description = "the body is declared to be something else")))]
pub async fn mcp(
    State(state): State<AppState>,
    CanConnect(caller): CanConnect,
    Extension(endpoint): Extension<Endpoint>,
    request: Request,
) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    // For the list of tools, which shows what this caller may use; each call is asked for its permission again behind.
    parts.extensions.insert(caller);
    let bytes = read_bytes(&parts.headers, body, state.config.body_deadline).await?;
    // Answers are never streams, so a caller that takes JSON is served; the SDK asks for both.
    if accepts_json(&parts.headers) {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        parts.headers.insert(header::ACCEPT, both);
    }
    // Without a name there is no rebound one: not from a browser.
    parts.headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
    let service = endpoint.service(&state);
    Ok(match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => batch(service, &parts, &bytes).await,
        _ => serve(service, parts, bytes).await,
    })
}

async fn serve(service: &Service, parts: Parts, bytes: Bytes) -> Response {
    if let Some(number) = unrepresentable(&bytes) {
        return refuse_number(&parts.headers, &bytes, &number);
    }
    let response = service.handle(Request::from_parts(parts, Body::from(bytes.clone()))).await;
    let (parts, body) = response.into_parts();
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if parts.status.is_success() || is_json {
        return Response::from_parts(parts, Body::new(body));
    }
    let Ok(text) = body.collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    match parts.status {
        // So the SDK refuses what it cannot read, whatever the body was declared to be.
        StatusCode::UNSUPPORTED_MEDIA_TYPE if text.starts_with("fail to deserialize") => unreadable(&bytes),
        status if status.is_server_error() => refuse(status, INTERNAL_ERROR, &text),
        status => refuse(status, INVALID_REQUEST, &text),
    }
}

fn unreadable(bytes: &[u8]) -> Response {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(_) => refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, "The body is not a JSON-RPC 2.0 message."),
        Err(error) => {
            refuse(StatusCode::BAD_REQUEST, PARSE_ERROR, &format!("The body is not JSON: {error}."))
        }
    }
}

/// The messages of a batch, one after the other.
async fn batch(service: &Service, parts: &Parts, bytes: &[u8]) -> Response {
    let refused = |why: &str| refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, why);
    let version = parts.headers.get("mcp-protocol-version");
    if version.is_some_and(|version| version != WITH_BATCHES) {
        return refused("MCP has no batches since 2025-06-18; send one message per request.");
    }
    let Ok(messages) = serde_json::from_slice::<Vec<Box<RawValue>>>(bytes) else { return unreadable(bytes) };
    if messages.is_empty() || messages.len() > LARGEST_BATCH {
        return refused(&format!("A batch has 1 to {LARGEST_BATCH} messages."));
    }
    let mut answers = Vec::new();
    for message in messages {
        let response = serve(service, parts.clone(), Bytes::from(message.get().to_owned())).await;
        // Notifications have no answer.
        if response.status() == StatusCode::ACCEPTED {
            continue;
        }
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        answers.push(serde_json::from_slice::<Value>(&body).unwrap_or_default());
    }
    match answers.is_empty() {
        true => StatusCode::ACCEPTED.into_response(),
        false => Json(answers).into_response(),
    }
}

/// Refuses a message with a number that the API would refuse, as the API does when it is a call of a tool.
fn refuse_number(headers: &HeaderMap, bytes: &[u8], number: &Unrepresentable) -> Response {
    let message = match number.path.as_str() {
        "" => format!("The message: {number}."),
        path => format!("The message's field {path}: {number}."),
    };
    let sent: Value = json_numbers::from_slice(bytes).unwrap_or_default();
    if sent["method"] != "tools/call" || sent["id"].is_null() {
        return refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, &message);
    }
    let result = failure(Answer::refusal(&Error::invalid(message), headers));
    Json(json!({ "jsonrpc": "2.0", "id": sent["id"], "result": result })).into_response()
}

/// What MCP asks for when a message cannot be taken: a JSON-RPC error without an id.
fn refuse(status: StatusCode, code: i32, message: &str) -> Response {
    let error = json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message } });
    (status, Json(error)).into_response()
}

/// Whether a caller takes JSON, which one that says nothing does.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
    accepted.peek().is_none()
        || accepted.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            ["application/json", "application/*", "*/*"].iter().any(|json| kind.eq_ignore_ascii_case(json))
        })
}
