//! What is laid around every router: request ids, one log line per request, errors as JSON, a last catch for
//! panics, what is left of rate limits, and both ends of idempotency and audit (their middle is the permit).

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use uuid::Uuid;

use super::error::answer;
use super::exchange::Exchange;
use super::idempotency::{again, read};
use platform::patience::Patience;
use platform::trace::{self, Trace};
use services::audit;
use services::idempotency;
use services::limits::Allowance;
use services::state::AppState;
use types::error::{Error, Kind};
use types::ids::seed::with_seed;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// Makes a function's routes a service: gives them their state and what all routes have in common.
pub fn finish(routes: Router<AppState>, state: AppState) -> Router {
    routes
        .fallback(async || {
            Error::new(Kind::NotFound, "NO_SUCH_ROUTE", "There is no such route; see /openapi.json.")
        })
        .method_not_allowed_fallback(async || {
            let message = "The route does not take this method; see /openapi.json.";
            Error::new(Kind::MethodNotAllowed, "METHOD_NOT_ALLOWED", message)
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), around))
        .with_state(state)
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Error::internal("a handler panicked").into_response()
}

async fn around(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let request_id = request_id(&request);
    // A request that this one leads to inside the process has the same id.
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let traced = trace_of(&request);
    let span = request_span(&request_id, &request, &route, traced.as_ref());
    let begun = Instant::now();
    let work = async move {
        state.metrics.begin();
        let mut response = carried_out(&state, request, next, &request_id).await;
        let elapsed_ms = begun.elapsed().as_millis();
        tracing::info!(status = response.status().as_u16(), elapsed_ms, "request");
        state.metrics.flush(state.clock.now());
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    };
    let work = Patience::of_request().around(work.instrument(span));
    // In a box: it is what all the work of a request is done in.
    Box::pin(Trace::around(traced, work)).await
}

/// The trace that a request tells, or that of the work which led to it inside the process.
fn trace_of(request: &Request) -> Option<Trace> {
    let header = request.headers().get(trace::HEADER).and_then(|value| value.to_str().ok());
    header.and_then(Trace::parse).or_else(Trace::current)
}

/// What every line of a request's log says; who calls is known later.
fn request_span(request_id: &str, request: &Request, route: &str, trace: Option<&Trace>) -> tracing::Span {
    use tracing::field::Empty;
    let method = request.method();
    let span = tracing::info_span!(
        "request", %request_id, %method, route, tenant_id = Empty, run_id = Empty, trace_id = Empty
    );
    if let Some(trace) = trace {
        span.record("trace_id", trace.id());
    }
    if let Some(run_id) = run_in(route, request.uri().path()) {
        span.record("run_id", tracing::field::display(run_id));
    }
    span
}

/// The run that a path names, if it is one of a run's and the name can be one.
fn run_in(route: &str, path: &str) -> Option<Uuid> {
    let place = route.split('/').position(|part| part == "{run_id}")?;
    path.split('/').nth(place)?.parse().ok()
}

/// What the route answers, or has answered before.
async fn carried_out(state: &AppState, request: Request, next: Next, request_id: &str) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let traced = audit::traced(request.method().as_str(), &route);
    let target = format!("{} {}", request.method(), request.uri().path());
    let (mut request, asked) = match read(request, &route).await {
        Ok(read) => read,
        Err(error) => return answer(error, request_id),
    };
    let exchange = Exchange::new(request_id, target, traced, asked);
    request.extensions_mut().insert(exchange.clone());
    let mut response = if exchange.is_keyed() {
        with_seed(exchange.seed(), next.run(request)).await
    } else {
        next.run(request).await
    };
    if let Some(before) = exchange.replay() {
        response = again(before);
    }
    let mut kind = None;
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        kind = Some(error.kind);
        response = answer(error, request_id);
    }
    if let Some(allowance) = exchange.allowance() {
        tell(response.headers_mut(), allowance);
    }
    ended(state, &exchange, response, kind).await
}

/// Before the answer is given: it is kept under the request's idempotency key, and the audit trail gets the outcome.
/// Most requests have neither.
async fn ended(state: &AppState, exchange: &Exchange, response: Response, error: Option<Kind>) -> Response {
    let status = response.status();
    // What rode in an act that was done is written.
    let open = exchange.take_open().filter(|open| open.is_written() || is_error(status));
    let claimed = exchange.claimed();
    if claimed.is_none() && open.is_none() {
        return response;
    }
    if claimed.is_none() && status != StatusCode::CREATED {
        note_end(state, open, status, None).await;
        return response;
    }
    let (parts, body) = response.into_parts();
    // Answers are whole in memory: their bodies do not fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let keep = async {
        if let Some(claimed) = claimed {
            idempotency::settle(state, claimed, (status, &parts.headers, &bytes), error).await;
        }
    };
    let made = Some(status).filter(|status| *status == StatusCode::CREATED).and_then(|_| Made::named(&bytes));
    tokio::join!(keep, note_end(state, open, status, made));
    Response::from_parts(parts, Body::from(bytes))
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

async fn note_end(state: &AppState, open: Option<audit::Entry>, status: StatusCode, made: Option<String>) {
    if let Some(entry) = open {
        audit::end(state, entry, status.as_u16(), made).await;
    }
}

/// What an answer says of what was made. What has no `id` is a version, which has a number, or a project; a subscription
/// stands inside its answer, beside what is shown once.
#[derive(Deserialize)]
struct Made {
    id: Option<String>,
    subscription: Option<Box<Self>>,
    /// Of the tools of an MCP server, whose `version` is the publisher's name for it.
    number: Option<u64>,
    /// Of a workflow.
    version: Option<serde_json::Value>,
    project_id: Option<String>,
}

impl Made {
    fn named(answer: &[u8]) -> Option<String> {
        let of_whole: Self = serde_json::from_slice(answer).ok()?;
        let inner = of_whole.subscription.and_then(|inner| inner.id);
        let version = of_whole.number.or(of_whole.version.and_then(|version| version.as_u64()));
        of_whole.id.or(inner).or(version.map(|number| number.to_string())).or(of_whole.project_id)
    }
}

fn tell(headers: &mut HeaderMap, allowance: Allowance) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(allowance.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(allowance.remaining));
    headers.insert("x-ratelimit-reset", HeaderValue::from(allowance.reset_s));
}

/// The caller's own request id when it is one that can stand in a log, else a new one.
fn request_id(request: &Request) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= LONGEST_REQUEST_ID && id.chars().all(plain) => {
            id.to_owned()
        }
        _ => Uuid::now_v7().to_string(),
    }
}
