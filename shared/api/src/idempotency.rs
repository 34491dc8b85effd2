//! Requests with an `Idempotency-Key` as they come, and their answers as they are given again.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::body::read_bytes;
use services::idempotency::{Answer, Asked};
use types::Result;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Senders of webhooks repeat deliveries in their own ways, which the ingress knows.
const WEBHOOK_INGRESS: &str = "/v1/inbound-webhooks/{id}";

/// The request, and what it asks for by its key when it has one and is a POST: its body is read for that.
///
/// # Errors
/// Those of reading the body.
pub(super) async fn read(request: Request, route: &str) -> Result<(Request, Option<Asked>)> {
    let key = request.headers().get(IDEMPOTENCY_KEY).filter(|_| request.method() == Method::POST);
    let Some(key) = key.cloned().filter(|_| route != WEBHOOK_INGRESS) else { return Ok((request, None)) };
    let (parts, body) = request.into_parts();
    let body = read_bytes(&parts.headers, body).await?;
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let asked = Asked::new(key, format!("POST {route}"), target, body.clone());
    Ok((Request::from_parts(parts, Body::from(body)), Some(asked)))
}

/// The answer, given once more.
pub(super) fn again(answer: &Answer) -> Response {
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
