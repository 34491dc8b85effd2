//! The layer that carries a POST with an `Idempotency-Key` out once: it keeps the answer, and gives it again. It lies behind
//! the checks of role and scope, because a kept answer may hold a secret.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Collected};

use super::body::read_bytes;
use super::context::{Context, handed, route};
use super::error::rendered;
use services::auth::Principal;
use services::idempotency::{Answer, Asked, Turn, settle};
use types::ids::seed::with_seed;
use types::{Error, Result};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Carries a keyed request out, unless that was done before or somebody is doing it.
pub(super) async fn once(request: Request, next: Next) -> Result<Response> {
    let key = request.headers().get(IDEMPOTENCY_KEY).filter(|_| request.method() == Method::POST);
    let Some(key) = key.cloned() else { return Ok(next.run(request).await) };
    let Context { state, request_id } = handed(&request)?;
    let principal: Principal = handed(&request)?;
    let route = format!("POST {}", route(&request));
    let (parts, body) = request.into_parts();
    // It is in memory: the layer before has read it.
    let body = read_bytes(&parts.headers, body, state.config.body_deadline).await?;
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let asked = Asked::new(key, route, target, body.clone());
    let owned = match asked.claim(&state, &principal).await? {
        Turn::Ours(owned) => owned,
        Turn::Answered(answer) => return Ok(again(&answer)),
    };
    let request = Request::from_parts(parts, Body::from(body));
    let mut response = with_seed(owned.seed(), next.run(request)).await;
    let error = response.extensions_mut().remove::<Error>();
    let kind = error.as_ref().map(|error| error.kind);
    if let Some(error) = error {
        // What is kept is what the caller reads.
        response = rendered(error, &request_id, true);
    }
    let (parts, body) = response.into_parts();
    // Answers are whole in memory: their bodies do not fail.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    settle(&state, &owned, (parts.status, &parts.headers, &bytes), kind).await;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// The answer, given once more.
fn again(answer: &Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
