//! What the layers around a handler hand on: by the extensions of a request on the way in, by those of its answer on
//! the way out.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;

use services::limits::Allowance;
use services::state::AppState;
use types::{Error, Result};

/// What the layer around all routes gives to those of one.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) state: AppState,
    pub(super) request_id: Arc<str>,
}

/// What a layer before has left for this one.
///
/// # Errors
/// Internal when it did not run: then nothing is known of the caller, and nothing may be done.
pub(super) fn handed<T: Clone + Send + Sync + 'static>(request: &Request) -> Result<T> {
    let left = request.extensions().get::<T>().cloned();
    left.ok_or_else(|| Error::internal(format!("no layer has left a {}", std::any::type_name::<T>())))
}

/// The path of the route, as it is documented.
pub(super) fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str)
}

/// Stands in the extensions of an answer to somebody who has proven who it is: by a token, or as an open route has it. What
/// fails for others is logged as a warning, so that nobody from outside raises an alarm.
#[derive(Debug, Clone, Copy)]
pub struct Verified {
    /// What is left of a rate limit; the answer's headers say it.
    pub allowance: Option<Allowance>,
}

impl Verified {
    /// Notes on an answer that its caller has proven who it is.
    pub fn note(response: &mut Response, allowance: Option<Allowance>) {
        response.extensions_mut().insert(Self { allowance });
    }
}
