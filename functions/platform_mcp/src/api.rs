//! The routes that tools lead to, and a way to call them inside the process.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shared::error::Kind;
use shared::http::{ErrorBody, Function, described, finish, served};
use shared::{AppState, Error, Result};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

/// What may stand in a path segment and in a query as it is (RFC 3986, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What of a caller's request goes on to the route: who calls, where, by which name, and what makes a repetition safe.
const PASSED_ON: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::HOST,
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-tenant-id"),
    HeaderName::from_static("x-project-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("idempotency-key"),
];

/// The functions that tools lead to.
const FUNCTIONS: [Function; 7] = [
    (analytics::routes, analytics::openapi),
    (workflows::routes, workflows::openapi),
    (runs::routes, runs::openapi),
    (tasks::routes, tasks::openapi),
    (inbound_webhooks::routes, inbound_webhooks::openapi),
    (mcp_servers::routes, mcp_servers::openapi),
    (pats::routes, pats::openapi),
];

/// The description of their routes.
pub fn openapi() -> OpenApi {
    described(&FUNCTIONS)
}

/// The API inside the process. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Api(Router);

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
    /// With the routes on this state.
    pub fn new(state: AppState) -> Self {
        Self(finish(served(&FUNCTIONS), state))
    }

    /// Calls a route for the caller whose request had these headers.
    ///
    /// # Errors
    /// When the request cannot be written down; what the route says is an answer.
    pub async fn send(&self, caller: &HeaderMap, call: Call) -> Result<Answer> {
        let unwritable = |error: http::Error| {
            Error::invalid("arguments: do not make a request; they are too long.")
                .with_context(error.to_string())
        };
        let body = call.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder().method(call.method).uri(call.target).body(body);
        let mut request = request.map_err(unwritable)?;
        for name in &PASSED_ON {
            if let Some(value) = caller.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().extend(call.headers);
        let Ok(response) = self.0.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let broken =
            |error: &dyn std::fmt::Display| Error::internal(format!("an answer of a route: {error}"));
        let bytes = body.collect().await.map_err(|error| broken(&error))?.to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).map_err(|error| broken(&error))?,
        };
        let retry_after = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Answer { status: parts.status, body, retry_after: retry_after.map(str::to_owned) })
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

impl Answer {
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
        if error.kind == Kind::Internal {
            tracing::error!(code = error.code, context = error.context, "a tool failed");
        }
        let body = ErrorBody {
            error: error.message.clone(),
            code: error.code.to_owned(),
            request_id: request_id.to_owned(),
            issues: error.issues.clone(),
        };
        let status = match error.kind {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, body: serde_json::to_value(body).unwrap_or_default(), retry_after: None }
    }
}

/// A text as it may stand in a path's segment or in a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
