//! The one map from the domain's errors to answers.

use std::any::Any;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use types::error::{Error, Kind};
use types::issue::Issue;

/// An error as callers see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong, where, and what to do.
    pub error: String,
    /// The same for machines.
    pub code: String,
    /// Finds the request in the logs.
    pub request_id: String,
    /// What is wrong with a graph or an input, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    pub issues: Vec<Issue>,
}

/// What any route may answer with besides its own answers.
#[derive(Debug, IntoResponses)]
pub enum CommonErrors {
    /// The request cannot be read.
    #[response(status = 400)]
    Unreadable(ErrorBody),
    /// No or no valid token.
    #[response(status = 401)]
    Unauthenticated(ErrorBody),
    /// The workspace has no credits left.
    #[response(status = 402)]
    PaymentRequired(ErrorBody),
    /// The token's role, scope or place does not allow it.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// No such thing here.
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// The state does not allow it, or there are as many of these as there may be (`QUOTA_EXCEEDED`).
    #[response(status = 409)]
    Conflict(ErrorBody),
    /// The body did not arrive in time.
    #[response(status = 408)]
    TimedOut(ErrorBody),
    /// The body is larger than 1 MiB.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// The body's `Content-Encoding` is not read.
    #[response(status = 415)]
    UnsupportedEncoding(ErrorBody),
    /// Readable, but wrong.
    #[response(status = 422)]
    Invalid(ErrorBody),
    /// Too many requests, or too many live runs (`TENANT_RUN_LIMIT`); `Retry-After` says when to try again.
    #[response(status = 429)]
    TooMany(ErrorBody),
    /// Something went wrong on our side.
    #[response(status = 500)]
    Internal(ErrorBody),
    /// A dependency does not answer; `Retry-After` says when to try again.
    #[response(status = 503)]
    Unavailable(ErrorBody),
}

/// The status of an answer that is an error of this kind.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Unreadable => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict | Kind::Overtaken | Kind::InProgress { .. } => StatusCode::CONFLICT,
        Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Kind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Gone => StatusCode::GONE,
        Kind::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The status that an answer will have.
pub(super) fn status_of(response: &Response) -> StatusCode {
    response.extensions().get::<Error>().map_or_else(|| response.status(), |error| status(error.kind))
}

/// What a panic is answered with.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Error::internal("a handler panicked").into_response()
}

/// The answer to a request that met this error. What fails for a caller that nobody knows is a warning: anybody can make
/// such calls, and errors wake people.
pub(super) fn rendered(error: Error, request_id: &str, is_verified: bool) -> Response {
    match error.kind {
        Kind::Internal | Kind::Unavailable { .. } if is_verified => {
            tracing::error!(code = error.code.as_str(), context = error.causes(), "request failed");
        }
        Kind::Internal | Kind::Unavailable { .. } => {
            tracing::warn!(
                code = error.code.as_str(),
                context = error.causes(),
                "a request of nobody known failed"
            );
        }
        _ => tracing::debug!(code = error.code.as_str(), context = error.causes(), "request refused"),
    }
    let kind = error.kind;
    let mut response = (status(kind), Json(ErrorBody::of(error, request_id))).into_response();
    if let Some(seconds) = retry_after_s(kind) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if kind == Kind::UnsupportedEncoding {
        response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if kind == Kind::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

impl ErrorBody {
    /// Of the answer to a request that met this error.
    pub fn of(error: Error, request_id: &str) -> Self {
        Self {
            error: error.message,
            code: error.code.as_str().to_owned(),
            request_id: request_id.to_owned(),
            issues: error.issues,
        }
    }
}

/// After how many seconds to try again what ended in an error of this kind, if that may help.
pub fn retry_after_s(kind: Kind) -> Option<u64> {
    match kind {
        Kind::Unavailable { retry_after }
        | Kind::TooMany { retry_after }
        | Kind::InProgress { retry_after } => Some(whole_seconds(retry_after)),
        _ => None,
    }
}

/// Rounded up: whoever comes after this long comes late enough.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::error::ErrorCode;

    fn answered(kind: Kind) -> Response {
        rendered(Error::new(kind, ErrorCode::Conflict, "A sentence."), "r-1", true)
    }

    fn header_of(response: &Response, name: header::HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn kinds_are_answered_with_their_own_status() {
        let retry_after = Duration::from_secs(1);
        let statuses = [
            (Kind::Unreadable, 400),
            (Kind::Unauthenticated, 401),
            (Kind::PaymentRequired, 402),
            (Kind::Forbidden, 403),
            (Kind::NotFound, 404),
            (Kind::MethodNotAllowed, 405),
            (Kind::TimedOut, 408),
            (Kind::Conflict, 409),
            (Kind::Overtaken, 409),
            (Kind::InProgress { retry_after }, 409),
            (Kind::Gone, 410),
            (Kind::PreconditionFailed, 412),
            (Kind::TooLarge, 413),
            (Kind::UnsupportedEncoding, 415),
            (Kind::Invalid, 422),
            (Kind::TooMany { retry_after }, 429),
            (Kind::Internal, 500),
            (Kind::Unavailable { retry_after }, 503),
        ];
        for (kind, status) in statuses {
            let response = answered(kind);
            assert_eq!(response.status().as_u16(), status, "{kind:?}");
            let may_help = matches!(status, 429 | 503) || matches!(kind, Kind::InProgress { .. });
            assert_eq!(header_of(&response, header::RETRY_AFTER).is_some(), may_help, "{kind:?}");
            let asks = header_of(&response, header::WWW_AUTHENTICATE);
            assert_eq!(asks, (status == 401).then_some("Bearer"), "{kind:?}");
            let encodings = header_of(&response, header::ACCEPT_ENCODING);
            assert_eq!(encodings, (status == 415).then_some("identity"), "{kind:?}");
        }
    }

    #[test]
    fn whoever_comes_after_retry_after_comes_late_enough() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_999, "60")] {
            let response = answered(Kind::TooMany { retry_after: Duration::from_millis(millis) });
            assert_eq!(header_of(&response, header::RETRY_AFTER), Some(seconds), "{millis} ms");
        }
    }

    #[test]
    fn what_is_for_the_log_is_not_told() {
        let error = Error::unavailable("The database", "table agentruntime-prod: connection refused");
        let body = serde_json::to_string(&ErrorBody::of(error, "r-1")).unwrap();
        assert!(body.contains("r-1") && body.contains("The database"), "{body}");
        assert!(!body.contains("agentruntime-prod") && !body.contains("issues"), "{body}");
    }
}
