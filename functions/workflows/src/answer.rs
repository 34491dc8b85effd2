//! A workflow as it is answered: with its tag in a header.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use shared::services::workflows::WorkflowView;

/// The answer with this status and the `ETag` header.
pub fn answer(status: StatusCode, workflow: WorkflowView) -> Response {
    let etag = HeaderValue::from_str(workflow.etag());
    let mut response = (status, Json(workflow)).into_response();
    if let Ok(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
