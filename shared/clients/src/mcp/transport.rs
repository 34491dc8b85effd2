//! Streamable HTTP through the guarded way out: the backend of rmcp's client.
//!
//! Credentials stand in this type and nowhere in what rmcp knows, so that it cannot log or quote them. An answer is
//! read here until it holds what was asked for, whether it is JSON or a stream of events, and masked before anything
//! else looks at it, so that all that a server sends is bounded, and what is wrong with it is said in one place. To
//! rmcp an answer is opaque: the structured content of some result, or an error that does not print.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::stream::BoxStream;
use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rmcp::model::{
    CallToolResult, ClientJsonRpcMessage, CustomResult, RequestId, ServerJsonRpcMessage, ServerResult,
};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use serde_json::Value;
use sse_stream::Sse;

use super::error::{McpError, Opaque};
use super::events::Events;
use super::message::{self, Message};
use super::words::{of_report, shown};
use platform::outbound_http::{Answer, Limits, Outbound, OutboundError, Url};
use platform::secrets::Mask;
use types::clock::Clock;
use types::json_cost;
use types::json_text::JsonText;

/// The most bytes of a session's id: real ones have some forty.
const MAX_SESSION_ID: usize = 1024;
/// The most bytes of one answer: a result is at most 1 MiB, a page of tools may be larger.
pub(super) const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// The most that is read of an answer that reports a failure.
const LARGEST_REPORT: usize = 64 * 1024;
/// No attempt at a step takes longer; whoever waits for less gives up earlier.
const LONGEST_CALL: Duration = Duration::from_secs(600);
/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often an answer that broke off is taken up again.
const MOST_RESUMED: u32 = 5;
/// The wait before that, when the server names none.
const RESUME_AFTER: Duration = Duration::from_secs(1);
const SESSION: &str = "mcp-session-id";

type Failure = StreamableHttpError<Opaque>;

/// A server with what authorises us there.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) outbound: Arc<Outbound>,
    pub(super) clock: Clock,
    /// With credentials that belong into the query.
    pub(super) url: Url,
    /// Credentials that belong into headers.
    pub(super) headers: HeaderMap,
    /// What must not be seen of what the server says.
    pub(super) mask: Arc<Mask>,
    pub(super) state: Arc<Mutex<BackendState>>,
}

/// What a backend remembers between requests.
#[derive(Default)]
pub(super) struct BackendState {
    /// The server's ids of sessions. rmcp, which logs them, knows them by their positions.
    sessions: Vec<String>,
    /// Requests that the server did not take because it had forgotten the session; they are sent once more.
    sent_again: HashSet<String>,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backend({})", self.url.origin().ascii_serialization())
    }
}

/// Where a request comes from and what it is: its id, the session it belongs to.
struct Asked {
    id: Value,
    is_handshake: bool,
    session: Option<String>,
    headers: HashMap<HeaderName, HeaderValue>,
}

/// What a message is to a request, read and masked.
enum Read {
    /// Its result.
    Result(JsonText),
    /// Its refusal.
    Refusal(McpError),
    /// Nothing; why.
    Unrelated(String),
}

impl Backend {
    fn state(&self) -> MutexGuard<'_, BackendState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's id of a session that rmcp knows by its position.
    fn session(&self, position: Option<&str>) -> Option<String> {
        let position: usize = position?.parse().ok()?;
        self.state().sessions.get(position).filter(|id| !id.is_empty()).cloned()
    }

    async fn send(
        &self,
        method: Method,
        session: Option<&str>,
        headers: HashMap<HeaderName, HeaderValue>,
        body: Vec<u8>,
        time: Duration,
    ) -> Result<Answer, McpError> {
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
        let mut request = request.body(body).map_err(invalid)?;
        // Last: what a profile injects wins.
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let limits = Limits { time, bytes: LARGEST_ANSWER };
        self.outbound.send(request, limits).await.map_err(|error| self.broken(error))
    }

    /// Why no answer came, without what the server has to do with it.
    fn broken(&self, error: OutboundError) -> McpError {
        McpError::Outbound(match error {
            // A host's name has no capitals.
            OutboundError::Redirected(to) if self.mask.hides_ignoring_case(&to) => {
                OutboundError::Redirected("an address that is not shown".to_owned())
            }
            OutboundError::Broken(why) => OutboundError::Broken(self.mask.text(&why).into_owned()),
            OutboundError::Unreachable(why) => OutboundError::Unreachable(self.mask.text(&why).into_owned()),
            other => other,
        })
    }

    /// What an answer says that is no success, and whether it means that the server has forgotten the session.
    async fn refused(&self, asked: &Asked, answer: Answer) -> (McpError, bool) {
        let status = answer.status.as_u16();
        let retry_after = answer.retry_after(self.clock.now());
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let challenge = header(WWW_AUTHENTICATE).map(|text| shown(&self.mask.text(text)));
        let is_text = is(&answer, "text/plain");
        let report = beginning(answer).await;
        let details = match serde_json::from_slice::<Value>(&report) {
            Ok(json) => of_report(&self.mask.value(json)),
            Err(_) if is_text => of_report(&self.mask.text(&String::from_utf8_lossy(&report)).into()),
            Err(_) => None,
        };
        let is_forgotten = forgets_session(status, &asked.id, &report, details.as_deref());
        let details = details.or_else(|| challenge.map(|challenge| format!("WWW-Authenticate: {challenge}")));
        (McpError::Http { status, details, retry_after }, is_forgotten)
    }

    /// Whether a request whose session is forgotten is sent again in a new one, which it is once.
    fn is_sent_again(&self, asked: &Asked) -> bool {
        asked.session.is_some() && self.state().sent_again.insert(asked.id.to_string())
    }

    /// The answer to a request, out of a body or of the events of a stream.
    async fn answer(&self, asked: &Asked, answer: Answer) -> Result<JsonText, McpError> {
        let message = if is(&answer, "text/event-stream") {
            self.read_events(asked, answer).await?
        } else if is(&answer, "application/json") {
            let whole = answer.bytes().await.map_err(|error| self.broken(error))?;
            self.read(&whole, asked).await?
        } else {
            let error = "the answer is neither application/json nor text/event-stream";
            return Err(McpError::Protocol(error.to_owned()));
        };
        match message {
            Read::Result(result) => Ok(result),
            Read::Refusal(error) => Err(error),
            Read::Unrelated(why) => Err(McpError::Protocol(why)),
        }
    }

    /// Reads a message, masked. Its values are in memory for no longer than that, and only while there is room for them: what
    /// comes of it is text.
    async fn read(&self, bytes: &[u8], asked: &Asked) -> Result<Read, McpError> {
        let cost = json_cost::cost(bytes);
        if cost > json_cost::MAX_COST {
            return Err(McpError::too_many_values());
        }
        // As it came, and masked.
        let _room = self.outbound.memory().answer(cost.saturating_mul(2)).await;
        Ok(match message::read(bytes, &asked.id)? {
            Message::Result(result) => Read::Result(self.mask.value(result).into()),
            Message::Refusal(error) => Read::Refusal(message::refusal(&self.mask.value(error))),
            Message::Unrelated(why) => Read::Unrelated(why),
        })
    }

    async fn read_events(&self, asked: &Asked, mut answer: Answer) -> Result<Read, McpError> {
        let mut events = Events::default();
        let mut note = None;
        for _ in 0..=MOST_RESUMED {
            let broke_off = loop {
                while let Some(data) = events.next_data() {
                    match self.read(data.as_bytes(), asked).await {
                        // Notifications, and requests of a server: we have offered nothing that they could ask for.
                        Ok(Read::Unrelated(why)) => note = Some(why),
                        Ok(message) => return Ok(message),
                        Err(error @ McpError::Unusable(_)) => return Err(error),
                        Err(_) => note = Some("an event's data is no message of JSON-RPC".to_owned()),
                    }
                }
                match answer.chunk().await {
                    Ok(Some(chunk)) => events.push(&chunk),
                    Ok(None) => break McpError::Unanswered { note: note.clone() },
                    Err(error) => break self.broken(error),
                }
            };
            let (true, Some(last)) = (broke_off.may_be_resumed(), events.last_id()) else {
                return Err(broke_off);
            };
            let Ok(last) = HeaderValue::from_str(last) else { return Err(broke_off) };
            // Calls that a server broke off together do not all come back together.
            let pause = events.retry().unwrap_or(RESUME_AFTER).mul_f64(rand::random_range(1.0..=1.5));
            tokio::time::sleep(pause).await;
            let mut headers = asked.headers.clone();
            headers.insert(HeaderName::from_static("last-event-id"), last);
            let session = asked.session.as_deref();
            answer = self.send(Method::GET, session, headers, Vec::new(), LONGEST_CALL).await?;
            if !answer.status.is_success() || !is(&answer, "text/event-stream") {
                return Err(broke_off);
            }
            events.begin_anew();
        }
        Err(McpError::Unanswered { note: Some("it broke off again and again".to_owned()) })
    }

    /// The message for rmcp that holds an answer, and by which name it knows the session that was opened with it.
    fn reply(
        &self,
        asked: &Asked,
        id: RequestId,
        opened: Option<String>,
        result: &JsonText,
    ) -> Result<(ServerJsonRpcMessage, Option<String>), McpError> {
        self.state().sent_again.remove(&asked.id.to_string());
        if !asked.is_handshake {
            return Ok((ServerJsonRpcMessage::response(opaque(result), id), None));
        }
        let greeting = message::greeting(&result.to_value())?;
        if opened.as_ref().is_some_and(|id| id.len() > MAX_SESSION_ID) {
            let what = format!("the server's Mcp-Session-Id is longer than {MAX_SESSION_ID} bytes");
            return Err(McpError::Protocol(what));
        }
        let session = opened.map(|opened| {
            let mut state = self.state();
            // Only the newest are asked for again; a server that forgets them all the time takes no memory.
            if let Some(old) = state.sessions.iter_mut().nth_back(1) {
                *old = String::new();
            }
            state.sessions.push(opened);
            (state.sessions.len() - 1).to_string()
        });
        Ok((ServerJsonRpcMessage::response(ServerResult::InitializeResult(greeting), id), session))
    }
}

/// Whether a refusal means that the server has forgotten the session, and so has not done what was asked. The protocol
/// says 404; some answer with 400. What answers the very request was made by whoever executed it.
fn forgets_session(status: u16, id: &Value, report: &[u8], details: Option<&str>) -> bool {
    let json = serde_json::from_slice::<Value>(report).ok();
    if json.as_ref().and_then(|json| json.get("id")).is_some_and(|theirs| message::is_same(theirs, id)) {
        return false;
    }
    match status {
        404 => true,
        400 => match details {
            Some(details) => is_about_session(&details.to_lowercase()),
            None => report.trim_ascii().is_empty() || json == Some(Value::Null),
        },
        _ => false,
    }
}

/// Not any text with the word in it: a tool may answer 400 of its own, and must not be called twice.
fn is_about_session(details: &str) -> bool {
    const LOST: [&str; 11] = [
        "no valid",
        "no such",
        "no longer",
        "invalid",
        "missing",
        "unknown",
        "expired",
        "terminated",
        "not found",
        "required",
        "does not exist",
    ];
    details.contains("not initialized")
        || details.contains("session") && LOST.iter().any(|word| details.contains(word))
}

/// An answer as rmcp hands it on without reading it: its text.
fn opaque(result: &JsonText) -> ServerResult {
    let mut whole = CallToolResult::default();
    whole.structured_content = Some(Value::String(result.as_str().to_owned()));
    ServerResult::CallToolResult(whole)
}

/// The answer that rmcp handed on.
pub(super) fn transparent(result: ServerResult) -> Result<JsonText, McpError> {
    let text = match result {
        ServerResult::CallToolResult(CallToolResult {
            structured_content: Some(Value::String(text)),
            ..
        })
        | ServerResult::CustomResult(CustomResult(Value::String(text))) => JsonText::parse(text).ok(),
        _ => None,
    };
    text.ok_or_else(|| McpError::Protocol("the answer cannot be read".to_owned()))
}

impl StreamableHttpClient for Backend {
    type Error = Opaque;

    async fn post_message(
        &self,
        _: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let failed = |error: McpError| Failure::Client(Opaque(error));
        let body = serde_json::to_vec(&message)?;
        let (id, is_handshake) = match &message {
            ClientJsonRpcMessage::Request(request) => {
                (Some(request.id.clone()), request.request.method() == "initialize")
            }
            _ => (None, false),
        };
        let asked = Asked {
            id: id.clone().map_or(Value::Null, RequestId::into_json_value),
            is_handshake,
            session: self.session(session_id.as_deref()),
            headers: headers.clone(),
        };
        let session = asked.session.as_deref();
        let answer = self.send(Method::POST, session, headers, body, LONGEST_CALL).await.map_err(failed)?;
        if !answer.status.is_success() {
            let (error, is_forgotten) = self.refused(&asked, answer).await;
            if id.is_some() && is_forgotten && self.is_sent_again(&asked) {
                return Err(Failure::SessionExpired);
            }
            self.state().sent_again.remove(&asked.id.to_string());
            return Err(failed(error));
        }
        let Some(id) = id else { return Ok(StreamableHttpPostResponse::Accepted) };
        let opened = answer.headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let asked = Asked { session: opened.clone().or_else(|| asked.session.clone()), ..asked };
        let result = self.answer(&asked, answer).await.map_err(failed)?;
        let (reply, session) = self.reply(&asked, id, opened, &result).map_err(failed)?;
        Ok(StreamableHttpPostResponse::Json(reply, session))
    }

    async fn delete_session(
        &self,
        _: Arc<str>,
        session_id: Arc<str>,
        _: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let session = self.session(Some(&session_id));
        // Whatever it says: the session is of no use any more.
        let _ = self.send(Method::DELETE, session.as_deref(), headers, Vec::new(), GOODBYE).await;
        Ok(())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_forgotten_session_is_told_from_a_refused_call() {
        for (status, report, details) in [
            (404, "", None),
            (404, "anything", None),
            (400, "", None),
            (400, "null", None),
            (400, "{}", Some("No valid session ID provided")),
            (400, "{}", Some("Server not initialized")),
            (400, r#"{"id":null}"#, Some("Session not found")),
        ] {
            assert!(forgets_session(status, &json!(7), report.as_bytes(), details), "{status} {report}");
        }
        for (status, report, details) in [
            // A tool of its own that failed, which must not be called twice.
            (404, r#"{"id":7,"error":{}}"#, Some("session not found")),
            (400, r#"{"id":7}"#, Some("invalid session")),
            (400, "{}", Some("the session of parliament is open")),
            (400, "{}", Some("invalid argument")),
            (400, "<html>", None),
            (401, "", None),
            (500, "", Some("no such session")),
        ] {
            assert!(!forgets_session(status, &json!(7), report.as_bytes(), details), "{status} {report}");
        }
    }

    #[test]
    fn an_answer_passes_through_rmcp_unread() {
        let result = json!({ "content": "not as the protocol has it", "n": 1 });
        let text = JsonText::from(&result);
        assert_eq!(transparent(opaque(&text)), Ok(text));
    }
}
