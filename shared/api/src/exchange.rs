//! What the layer around all routes and the permit of one of them tell each other about a request: what it may
//! still do, whether it was carried out before, what it leaves in the audit trail.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::FromRequestParts;
use http::request::Parts;

use services::audit::{self, Author, Entry, Riding, Traced};
use services::idempotency::{Admitted, Answer, Asked, Owned};
use services::limits::Allowance;
use services::state::AppState;
use types::ids::seed::Seed;
use types::{Error, Result};

/// One request. Clones are handles on the same.
#[derive(Debug, Clone)]
pub struct Exchange(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    target: String,
    traced: Traced,
    /// What it asks for by an idempotency key.
    asked: Option<Asked>,
    seed: Arc<OnceLock<Seed>>,
    claimed: OnceLock<Owned>,
    replay: OnceLock<Answer>,
    allowance: OnceLock<Allowance>,
    /// Whose trail it stands in, and who it is.
    author: OnceLock<Author>,
    open: Mutex<Option<Entry>>,
}

impl Exchange {
    pub(super) fn new(request_id: &str, target: String, traced: Traced, asked: Option<Asked>) -> Self {
        Self(Arc::new(Inner {
            request_id: request_id.to_owned(),
            target,
            traced,
            asked,
            seed: Arc::default(),
            claimed: OnceLock::new(),
            replay: OnceLock::new(),
            allowance: OnceLock::new(),
            author: OnceLock::new(),
            open: Mutex::new(None),
        }))
    }

    /// The exchange of this request, when it came through the layer.
    pub fn of(parts: &Parts) -> Option<Self> {
        parts.extensions.get().cloned()
    }

    /// Tells the caller in the answer's headers what is left of a limit.
    pub fn note(&self, allowance: Allowance) {
        let _ = self.0.allowance.set(allowance);
    }

    /// A permit has been given: from here on the route may do something. The request is claimed when it has an
    /// idempotency key, and its entry is written to the audit trail.
    ///
    /// # Errors
    /// Conflict when the key is another request's or somebody is carrying this one out; unavailable when the
    /// database does not answer; and the layer's own when it has been carried out, which answers as it did then.
    pub async fn admit(&self, state: &AppState, who: Admitted<'_>) -> Result<()> {
        if let (Some(asked), None) = (&self.0.asked, self.0.claimed.get()) {
            match asked.claim(state, who).await? {
                Ok(owned) => {
                    let _ = self.0.seed.set(owned.seed());
                    let _ = self.0.claimed.set(owned);
                }
                Err(answer) => {
                    let _ = self.0.replay.set(answer);
                    return Err(Error::internal("carried out before; the layer answers"));
                }
            }
        }
        let Admitted::Token(caller) = who else { return Ok(()) };
        let first = self.0.author.set(caller.into()).is_ok();
        match &self.0.traced {
            Traced::Always(action) if first => self.begin(state, action).await,
            Traced::ByHandler(action) if first => {
                self.ride(state, action);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An entry that is written by the act itself.
    fn ride(&self, state: &AppState, action: &str) -> Option<Riding> {
        let author = self.0.author.get()?;
        let (entry, riding) = audit::ride(state, author, action, &self.0.target, &self.0.request_id);
        *self.open() = Some(entry);
        Some(riding)
    }

    async fn begin(&self, state: &AppState, action: &str) -> Result<()> {
        let Some(author) = self.0.author.get() else { return Ok(()) };
        let entry = audit::begin(state, author, action, &self.0.target, &self.0.request_id).await?;
        *self.open() = Some(entry);
        Ok(())
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Option<Entry>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_keyed(&self) -> bool {
        self.0.asked.is_some()
    }

    pub(super) fn seed(&self) -> Arc<OnceLock<Seed>> {
        Arc::clone(&self.0.seed)
    }

    pub(super) fn claimed(&self) -> Option<&Owned> {
        self.0.claimed.get()
    }

    pub(super) fn replay(&self) -> Option<&Answer> {
        self.0.replay.get()
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        self.0.allowance.get().copied()
    }

    /// The entry that waits for its outcome.
    pub(super) fn take_open(&self) -> Option<Entry> {
        self.open().take()
    }
}

/// The audit trail in the hand of a handler whose route is [`Traced::ByHandler`].
#[derive(Debug)]
pub struct Trail(Option<Exchange>);

impl<S: Send + Sync> FromRequestParts<S> for Trail {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(Exchange::of(parts)))
    }
}

impl Trail {
    /// Writes an entry with this action before the act; its outcome follows with the answer.
    ///
    /// # Errors
    /// When the database does not answer; then nothing may be done.
    pub async fn begin(&self, state: &AppState, action: &str) -> Result<()> {
        match &self.0 {
            Some(exchange) => exchange.begin(state, action).await,
            None => Ok(()),
        }
    }

    /// An entry for the transaction of the act itself: they come to be together or not at all. When the act comes to
    /// nothing the entry is written all the same, and says so.
    pub fn ride(&self, state: &AppState, action: &str) -> Option<Riding> {
        self.0.as_ref()?.ride(state, action)
    }
}
