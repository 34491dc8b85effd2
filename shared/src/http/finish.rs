//! What is laid around every router: request ids, one log line per request, errors as JSON, a last catch for
//! panics.

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use uuid::Uuid;

use super::error::answer;
use crate::error::{Error, Kind};
use crate::state::AppState;

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
        .layer(from_fn(around))
        .with_state(state)
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Error::internal("a handler panicked").into_response()
}

async fn around(mut request: Request, next: Next) -> Response {
    let request_id = request_id(&request);
    // A request that this one leads to inside the process has the same id.
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", %request_id, %method, route, tenant_id = tracing::field::Empty);
    let begun = Instant::now();
    async move {
        let mut response = next.run(request).await;
        if let Some(error) = response.extensions_mut().remove::<Error>() {
            response = answer(error, &request_id);
        }
        let elapsed_ms = begun.elapsed().as_millis();
        tracing::info!(status = response.status().as_u16(), elapsed_ms, "request");
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
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
