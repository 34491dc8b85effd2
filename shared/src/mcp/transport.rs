//! Streamable HTTP through the guarded way out: the backend of rmcp's client.
//!
//! Credentials stand in this type and nowhere in what rmcp knows, so that it cannot log or quote them. An answer is
//! read here until it holds what was asked for, whether it is JSON or a stream of events, so that all that a server
//! sends is bounded, and what is wrong with it is said in one place.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage, ServerResult};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::Sse;

use super::error::{McpError, shown};
use super::events::Events;
use crate::clock::Clock;
use crate::json_numbers;
use crate::outbound_http::{Answer, Limits, Outbound, Url};

/// The most bytes of one answer: a result is at most 1 MiB, a page of tools may be larger.
pub(super) const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// The most that is read of an answer that reports a failure.
const LARGEST_REPORT: usize = 8 * 1024;
/// No attempt at a step takes longer; whoever waits for less gives up earlier.
const LONGEST_CALL: Duration = Duration::from_secs(600);
/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often an answer that broke off is taken up again.
const MOST_RESUMED: u32 = 5;
/// The wait before that, when the server names none.
const RESUME_AFTER: Duration = Duration::from_secs(1);
const SESSION: &str = "mcp-session-id";

type Failure = StreamableHttpError<McpError>;

/// A server with what authorises us there.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) outbound: Arc<Outbound>,
    pub(super) clock: Clock,
    /// With credentials that belong into the query.
    pub(super) url: Url,
    /// Credentials that belong into headers.
    pub(super) headers: HeaderMap,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backend({})", self.url.origin().ascii_serialization())
    }
}

impl Backend {
    async fn send(
        &self,
        method: Method,
        session: Option<&str>,
        headers: HashMap<HeaderName, HeaderValue>,
        body: Vec<u8>,
        time: Duration,
    ) -> Result<Answer, Failure> {
        let mut request = http::Request::builder().method(method).uri(self.url.as_str());
        request = request.header(ACCEPT, "application/json, text/event-stream");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(session) = session {
            request = request.header(SESSION, session);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let invalid =
            |error: http::Error| McpError::Protocol(format!("the request cannot be written: {error}"));
        let mut request = request.body(body).map_err(|error| Failure::Client(invalid(error)))?;
        // Last: what a profile injects wins.
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let limits = Limits { time, bytes: LARGEST_ANSWER };
        self.outbound.send(request, limits).await.map_err(|error| Failure::Client(McpError::Outbound(error)))
    }

    /// What an answer says that is no success.
    async fn refused(&self, answer: Answer) -> McpError {
        let status = answer.status.as_u16();
        let retry_after = answer.retry_after(self.clock.now());
        let report = beginning(answer).await;
        let said = match serde_json::from_slice::<ServerJsonRpcMessage>(&report) {
            Ok(ServerJsonRpcMessage::Error(error)) => Some(shown(&error.error.message)),
            _ => None,
        };
        McpError::Http { status, said, retry_after }
    }

    /// The answer to a request, read out of the events of a stream.
    async fn read_events(
        &self,
        mut answer: Answer,
        session: Option<&str>,
        headers: &HashMap<HeaderName, HeaderValue>,
    ) -> Result<ServerJsonRpcMessage, Failure> {
        let mut events = Events::default();
        for _ in 0..=MOST_RESUMED {
            let broke_off = loop {
                while let Some(data) = events.next_data() {
                    let message = message(data.as_bytes())?;
                    // Notifications, and requests of a server: we have offered nothing that they could ask for.
                    if matches!(message, ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)) {
                        return Ok(message);
                    }
                }
                match answer.chunk().await {
                    Ok(Some(chunk)) => events.push(&chunk),
                    Ok(None) => break McpError::Protocol("the stream ended without an answer".to_owned()),
                    Err(error) => break McpError::Outbound(error),
                }
            };
            let (true, Some(last)) = (broke_off.may_be_resumed(), events.last_id()) else {
                return Err(Failure::Client(broke_off));
            };
            let Ok(last) = HeaderValue::from_str(last) else { return Err(Failure::Client(broke_off)) };
            tokio::time::sleep(events.retry().unwrap_or(RESUME_AFTER)).await;
            let mut headers = headers.clone();
            headers.insert(HeaderName::from_static("last-event-id"), last);
            answer = self.send(Method::GET, session, headers, Vec::new(), LONGEST_CALL).await?;
            if !answer.status.is_success() || !is(&answer, "text/event-stream") {
                return Err(Failure::Client(broke_off));
            }
            events.begin_anew();
        }
        Err(Failure::Client(McpError::Protocol("the stream broke off again and again".to_owned())))
    }
}

impl StreamableHttpClient for Backend {
    type Error = McpError;

    async fn post_message(
        &self,
        _: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let body = serde_json::to_vec(&message)?;
        let is_request = matches!(message, ClientJsonRpcMessage::Request(_));
        let session = session_id.as_deref();
        let answer = self.send(Method::POST, session, headers.clone(), body, LONGEST_CALL).await?;
        if answer.status == StatusCode::NOT_FOUND && session.is_some() {
            return Err(Failure::SessionExpired);
        }
        if !answer.status.is_success() {
            return Err(Failure::Client(self.refused(answer).await));
        }
        if !is_request {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let opened = answer.headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let opened_or_known = opened.clone().or_else(|| session.map(str::to_owned));
        let reply = if is(&answer, "text/event-stream") {
            self.read_events(answer, opened_or_known.as_deref(), &headers).await?
        } else if is(&answer, "application/json") {
            let whole = answer.bytes().await.map_err(|error| Failure::Client(McpError::Outbound(error)))?;
            self::message(&whole)?
        } else {
            let error = "the answer is neither application/json nor text/event-stream";
            return Err(Failure::Client(McpError::Protocol(error.to_owned())));
        };
        Ok(StreamableHttpPostResponse::Json(reply, opened))
    }

    async fn delete_session(
        &self,
        _: Arc<str>,
        session_id: Arc<str>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        // Whatever it says: the session is of no use any more.
        self.send(Method::DELETE, Some(&session_id), headers, Vec::new(), GOODBYE).await.map(|_| ())
    }

    async fn get_stream(
        &self,
        _: Arc<str>,
        _: Option<Arc<str>>,
        _: Option<String>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        // Nobody listens between calls: on Lambda the process is frozen then.
        Err(Failure::ServerDoesNotSupportSse)
    }
}

fn is(answer: &Answer, media_type: &str) -> bool {
    let header = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

fn message(json: &[u8]) -> Result<ServerJsonRpcMessage, Failure> {
    let message: serde_json::Result<ServerJsonRpcMessage> = json_numbers::from_slice(json);
    if let Ok(ServerJsonRpcMessage::Response(response)) = &message
        && let ServerResult::ListToolsResult(_) = response.result
        && let Ok(as_written) = serde_json::from_slice(json)
    {
        // The bounds in a schema are numbers, and the nearest doubles bound as well.
        return Ok(as_written);
    }
    message.map_err(|error| {
        // Without the text, which may be long and may hold anything.
        let place = format!("line {} column {}", error.line(), error.column());
        Failure::Client(McpError::Protocol(format!("the answer is not a message of JSON-RPC ({place})")))
    })
}

/// As much of a body as a report of a failure needs.
async fn beginning(mut answer: Answer) -> Vec<u8> {
    let mut report = Vec::new();
    while report.len() < LARGEST_REPORT
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        report.extend_from_slice(&chunk);
    }
    report
}
