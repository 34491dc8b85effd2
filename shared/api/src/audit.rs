//! The layer that leaves an entry in the audit trail: it is written before the handler does anything, and gets its outcome
//! before the answer is given.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use http_body_util::{BodyExt, Collected};
use serde::Deserialize;

use super::context::{Context, handed, route};
use super::error::status_of;
use services::audit::{self, Author, Entry, Riding, Traced};
use services::auth::Principal;
use services::state::AppState;
use types::{Error, Result};

/// The audit trail in the hand of a handler whose route is [`Traced::ByHandler`].
#[derive(Debug, Clone)]
pub struct Trail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: Arc<str>,
    target: String,
    author: Author,
    /// The entry that waits for its outcome.
    open: Mutex<Option<Entry>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Trail {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let trail = parts.extensions.get::<Self>().cloned();
        trail.ok_or_else(|| Error::internal("the route leaves nothing in the audit trail"))
    }
}

impl Trail {
    /// Writes an entry with this action before the act; its outcome follows with the answer.
    ///
    /// # Errors
    /// When the database does not answer; then nothing may be done.
    pub async fn begin(&self, state: &AppState, action: &str) -> Result<()> {
        let Inner { author, target, request_id, .. } = &*self.0;
        let entry = audit::begin(state, author, action, target, request_id).await?;
        *self.open() = Some(entry);
        Ok(())
    }

    /// An entry for the transaction of the act itself: they come to be together or not at all. When the act comes to
    /// nothing the entry is written all the same, and says so.
    pub fn ride(&self, state: &AppState, action: &str) -> Riding {
        let Inner { author, target, request_id, .. } = &*self.0;
        let (entry, riding) = audit::ride(state, author, action, target, request_id);
        *self.open() = Some(entry);
        riding
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Option<Entry>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the entry of a request, if its route leaves one.
pub(super) async fn trace(mut request: Request, next: Next) -> Result<Response> {
    // What operators do is traced otherwise: in the workspace, or in the ledger.
    let Principal::Token(caller) = handed(&request)? else { return Ok(next.run(request).await) };
    let traced = audit::traced(request.method().as_str(), route(&request));
    if matches!(traced, Traced::Never) {
        return Ok(next.run(request).await);
    }
    let Context { state, request_id } = handed(&request)?;
    let target = format!("{} {}", request.method(), request.uri().path());
    let author = Author::from(&*caller);
    let trail = Trail(Arc::new(Inner { request_id, target, author, open: Mutex::default() }));
    match &traced {
        Traced::Always(action) => trail.begin(&state, action).await?,
        Traced::ByHandler(action) => drop(trail.ride(&state, action)),
        Traced::Never => {}
    }
    request.extensions_mut().insert(trail.clone());
    let response = next.run(request).await;
    let status = status_of(&response);
    // What rode in an act that was done is written.
    let is_error = status.is_client_error() || status.is_server_error();
    let open = trail.open().take().filter(|open| open.is_written() || is_error);
    let Some(open) = open else { return Ok(response) };
    if status != StatusCode::CREATED {
        audit::end(&state, open, status.as_u16(), None).await;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    // Answers are whole in memory: their bodies do not fail.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    audit::end(&state, open, status.as_u16(), Made::named(&bytes)).await;
    Ok(Response::from_parts(parts, Body::from(bytes)))
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
