//! The API that tools lead to, and a way to call it: inside the process, or at its address.

#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use shared::api::{ErrorBody, retry_after_s, status};
use shared::services::memory::COVERED;
use shared::services::platform_mcp::{AGAIN, Remote};
use shared::types::error::ErrorCode;
use shared::types::error::Kind;
use shared::types::json_cost::{MAX_COST, cost};
use shared::{Error, Result};
use tower::ServiceExt;

/// What may stand in a path segment and in a query as it is (RFC 3986, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a name's escapes are undone before it is taken for no name.
const MAX_ESCAPES: usize = 4;

/// What of a caller's request goes on to the route: who calls, where, and what makes a repetition safe.
const PASSED_ON: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-tenant-id"),
    HeaderName::from_static("x-project-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("idempotency-key"),
];

/// The API. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Api(Way);

/// How requests get there.
#[derive(Debug, Clone)]
enum Way {
    Within(Router),
    At(Remote),
}

/// A request to a route.
#[derive(Debug)]
pub struct Call {
    /// GET, POST, …
    pub method: Method,
    /// The path and the query, encoded.
    pub target: String,
    /// Headers beside those of the caller's request.
    pub headers: HeaderMap,
    /// The body, if it has one.
    pub body: Option<Value>,
}

/// What a route answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; null when it is empty.
    pub body: Value,
    /// When to try again, as the answer says it.
    pub retry_after: Option<String>,
}

impl Api {
    /// Served by this process.
    pub fn within(router: Router) -> Self {
        Self(Way::Within(router))
    }

    /// At this address, such as `https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com`.
    pub fn at(url: &str) -> Self {
        Self(Way::At(Remote::new(url)))
    }

    /// Calls a route for the caller whose request had these headers.
    ///
    /// # Errors
    /// When the request cannot be written down, or nobody answers; what the route says is an answer.
    pub async fn send(&self, caller: &HeaderMap, call: Call) -> Result<Answer> {
        let request = written(caller, call)?;
        let (parts, bytes) = match &self.0 {
            Way::Within(router) => within(router.clone(), request).await?,
            Way::At(remote) => remote.send(request).await?,
        }
        .into_parts();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false if cost(&bytes) > MAX_COST => {
                return Err(Error::new(
                    Kind::TooLarge,
                    ErrorCode::TooLarge,
                    "The answer consists of too many small values to be handed on as structured content. Ask for less of it: \
                     a step alone (step_id), fewer rows (limit).",
                ));
            }
            false => serde_json::from_slice(&bytes).map_err(|error| unreadable(parts.status, &error))?,
        };
        let retry_after = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Answer { status: parts.status, body, retry_after: retry_after.map(str::to_owned) }.explained())
    }

    /// Reads what a GET of this path answers, which must be a success.
    ///
    /// # Errors
    /// What the route refused, as an answer; the error is our own when there is none.
    pub async fn read(&self, caller: &HeaderMap, target: &str) -> Result<Value, Answer> {
        let call =
            Call { method: Method::GET, target: target.to_owned(), headers: HeaderMap::new(), body: None };
        self.send(caller, call).await.map_err(|error| Answer::refusal(&error, caller))?.succeeded()
    }
}

fn written(caller: &HeaderMap, call: Call) -> Result<Request<Bytes>> {
    if !leads_where_it_says(&call.target) {
        return Err(Error::invalid("arguments: do not make a path of the API."));
    }
    let unwritable = |error: http::Error| {
        Error::invalid("arguments: do not make a request; they are too long.").with_context(error.to_string())
    };
    let body = call.body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = Request::builder().method(call.method).uri(call.target).body(body);
    let mut request = request.map_err(unwritable)?;
    for name in &PASSED_ON {
        if let Some(value) = caller.get(name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().extend(call.headers);
    Ok(request)
}

async fn within(router: Router, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
    // The message that it is made of has room for both.
    request.extensions_mut().insert(COVERED);
    let Ok(response) = router.oneshot(request.map(Body::from)).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await;
    let body = body.map_err(|error| Error::internal("an answer of a route").with_source(error))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// Something between us and the route that does not speak JSON has answered.
fn unreadable(status: StatusCode, error: &serde_json::Error) -> Error {
    let message =
        format!("The API answered {status} without JSON. Try again; if that changed something, look first.");
    Error::new(Kind::Unavailable { retry_after: AGAIN }, ErrorCode::ApiUnreadable, message)
        .with_context(error.to_string())
}

impl Answer {
    /// A gateway in front of the routes refuses in its own words, `{ "message" }`: in the API's.
    fn explained(mut self) -> Self {
        if !self.status.is_success() && self.body.get("code").is_none() {
            let may_pass = self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS;
            let again = if may_pass { " Try again in a moment." } else { "" };
            let said = self.body.get("message").and_then(Value::as_str).unwrap_or("nothing more");
            let error = format!("The API answered {} and says: {said}.{again}", self.status);
            self.body = json!({ "error": error, "code": "API_REFUSED" });
        }
        self
    }

    /// The body of a success, or the answer that is none.
    pub fn succeeded(self) -> Result<Value, Self> {
        match self.status.is_success() {
            false => Err(self),
            // Structured content is an object.
            true if self.body.is_null() => Ok(json!({})),
            true => Ok(self.body),
        }
    }

    /// What a route would answer that met this error.
    pub fn refusal(error: &Error, caller: &HeaderMap) -> Self {
        let request_id = caller.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
        match error.kind {
            Kind::Internal => {
                tracing::error!(code = error.code.as_str(), context = error.causes(), "a tool failed");
            }
            Kind::Unavailable { .. } => {
                tracing::warn!(
                    code = error.code.as_str(),
                    context = error.causes(),
                    "the API did not answer a tool"
                );
            }
            _ => {}
        }
        Self {
            status: status(error.kind),
            body: serde_json::to_value(ErrorBody::of(error.clone(), request_id)).unwrap_or_default(),
            retry_after: retry_after_s(error.kind).map(|seconds| seconds.to_string()),
        }
    }
}

/// Whether a URL's parser, which resolves `..` however it is written, finds the path that is written there. The function
/// on Lambda sends URLs and the local process paths: what does not mean the same to both is sent to neither.
fn leads_where_it_says(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    reqwest::Url::parse(&format!("http://api{target}")).is_ok_and(|url| url.path() == path)
}

/// A thing's name as a segment of a path. Every tool that puts one into a path does it here.
///
/// # Errors
/// Invalid when it could lead elsewhere, however often somebody on the way undoes its escapes.
pub fn segment(name: &str, text: &str) -> Result<String> {
    let is_step = |part: &str| part.is_empty() || part == "." || part == "..";
    let mut decoded = text.to_owned();
    for _ in 0..=MAX_ESCAPES {
        let is_bad = decoded.chars().any(char::is_control) || decoded.split(['/', '\\']).any(is_step);
        if is_bad {
            break;
        }
        let next = percent_decode_str(&decoded).decode_utf8();
        match next {
            Ok(next) if next == decoded => return Ok(encoded(text)),
            Ok(next) => decoded = next.into_owned(),
            Err(_) => break,
        }
    }
    Err(Error::invalid(format!("{name}: is not an id.")))
}

/// A text as it may stand in a path's segment or in a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
