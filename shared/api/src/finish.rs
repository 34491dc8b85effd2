//! What is laid around every router, outside of the layers of its routes: request ids, one log line per request, errors as
//! JSON, a last catch for panics, what is left of rate limits.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use uuid::Uuid;

use super::context::{Context, Verified};
use super::error::{panicked, rendered};
use platform::patience::Patience;
use platform::trace::{self, Trace};
use services::limits::Allowance;
use services::state::AppState;
use types::error::{Error, ErrorCode, Kind};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// Makes a function's routes a service: gives them their state and what all routes have in common.
pub fn finish(routes: Router<AppState>, state: AppState) -> Router {
    routes
        .fallback(async || {
            Error::new(Kind::NotFound, ErrorCode::NoSuchRoute, "There is no such route; see /openapi.json.")
        })
        .method_not_allowed_fallback(async || {
            let message = "The route does not take this method; see /openapi.json.";
            Error::new(Kind::MethodNotAllowed, ErrorCode::MethodNotAllowed, message)
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), around))
        .with_state(state)
}

async fn around(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let request_id = request_id(&request);
    // A request that this one leads to inside the process has the same id.
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    request.extensions_mut().insert(Context { state: state.clone(), request_id: request_id.as_str().into() });
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let traced = trace_of(&request);
    let span = request_span(&request_id, &request, &route, traced.as_ref());
    let begun = Instant::now();
    let work = async move {
        state.metrics.begin();
        let mut response = answered(request, next, &request_id).await;
        let elapsed_ms = begun.elapsed().as_millis();
        tracing::info!(status = response.status().as_u16(), elapsed_ms, "request");
        state.metrics.flush(state.clock.now());
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    };
    let work = Patience::of_request().around(work.instrument(span));
    Trace::around(traced, work).await
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

/// What the route answers, as its caller reads it.
async fn answered(request: Request, next: Next, request_id: &str) -> Response {
    let mut response = next.run(request).await;
    let verified = response.extensions().get::<Verified>().copied();
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        response = rendered(error, request_id, verified.is_some());
    }
    if let Some(allowance) = verified.and_then(|verified| verified.allowance) {
        tell(response.headers_mut(), allowance);
    }
    response
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
