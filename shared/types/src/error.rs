//! The one error of the domain. It carries two texts: what the caller may read, and the context for the log.
//! `api::error` maps its kind to a status.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

use crate::issue::Issue;

mod code;

pub use code::ErrorCode;

/// What went wrong, as far as the caller's next move depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read.
    Unreadable,
    /// No or no valid credentials.
    Unauthenticated,
    /// The workspace has no credits left.
    PaymentRequired,
    /// The caller's role, scope or place does not allow it.
    Forbidden,
    /// No such thing, or it is another's.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed,
    /// The state does not allow it.
    Conflict,
    /// Somebody else changed it at the same time: the same request may well be possible now.
    Overtaken,
    /// The condition the caller set does not hold.
    PreconditionFailed,
    /// The body did not come in time.
    TimedOut,
    /// Too large.
    TooLarge,
    /// Encoded in a way that is not read.
    UnsupportedEncoding,
    /// Readable, but wrong.
    Invalid,
    /// It was there and is not any more, on purpose.
    Gone,
    /// Too often; worth trying again after this long.
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// The same request is being carried out; its answer may be there after this long.
    InProgress {
        /// When to ask again.
        retry_after: Duration,
    },
    /// A dependency does not answer; worth trying again after this long.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// Our fault.
    Internal,
}

/// An error with its public sentence, its code and what the log should know.
#[derive(Debug, Clone)]
pub struct Error {
    /// What kind.
    pub kind: Kind,
    /// Which error it is, for programs.
    pub code: ErrorCode,
    /// A sentence for the caller: what is wrong, where, and what to do.
    pub message: String,
    /// For the log only.
    pub context: Option<String>,
    /// What led to it, for the log only.
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
    /// What is wrong with a graph or an input, one by one.
    pub issues: Vec<Issue>,
}

/// `Result` with the domain's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), context: None, source: None, issues: Vec::new() }
    }

    /// Readable, but wrong: names the field and what would be right.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, ErrorCode::InvalidRequest, message)
    }

    /// No such `thing` here. Another tenant's thing gives the same answer.
    pub fn not_found(thing: &str) -> Self {
        Self::new(Kind::NotFound, ErrorCode::NotFound, format!("There is no such {thing} in this project."))
    }

    /// The state does not allow it.
    pub fn conflict(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// Somebody else changed it at the same time.
    pub fn overtaken() -> Self {
        let message = "Somebody else changed this at the same time; read it again and retry.";
        Self::new(Kind::Overtaken, ErrorCode::Conflict, message)
    }

    /// A dependency does not answer.
    pub fn unavailable(dependency: &str, context: impl Into<String>) -> Self {
        let kind = Kind::Unavailable { retry_after: Duration::from_secs(2) };
        Self::new(
            kind,
            ErrorCode::DependencyUnavailable,
            format!("{dependency} does not answer just now; try again shortly."),
        )
        .with_context(context)
    }

    /// A later version of this program wrote this, in a form that is not known here yet. Nothing is changed; it can be
    /// read once this deployment is brought up to date, which it may be just now.
    pub fn newer(what: &str, form: u64) -> Self {
        let kind = Kind::Unavailable { retry_after: Duration::from_secs(30) };
        let message =
            "This was written by a newer version of the service, which is being deployed; try again shortly.";
        Self::new(kind, ErrorCode::NewerData, message).with_context(format!(
            "{what} of form {form}, which this version does not know: deploy the newer one"
        ))
    }

    /// Something that must not happen, and what led to it; the caller learns only that it did.
    pub fn internal_from(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into().into()), ..Self::of_ours() }
    }

    /// Something that must not happen; the caller learns only that it did.
    pub fn internal(context: impl Into<String>) -> Self {
        Self::of_ours().with_context(context)
    }

    fn of_ours() -> Self {
        let message = "Something went wrong on our side; the request id finds it in the logs.";
        Self::new(Kind::Internal, ErrorCode::Internal, message)
    }

    /// Adds what the log should know.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Adds what led to it, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// The context and each cause behind it, outermost first, for the log.
    pub fn causes(&self) -> String {
        let mut causes: Vec<String> = self.context.iter().cloned().collect();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.join(": ")
    }

    /// Adds the issues of a graph or an input.
    #[must_use]
    pub fn with_issues(mut self, issues: Vec<Issue>) -> Self {
        self.issues = issues;
        self
    }
}

/// For the log: with all causes.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match self.causes().as_str() {
            "" => Ok(()),
            causes => write!(f, " [{causes}]"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl IntoResponse for Error {
    /// Leaves the error itself in the extensions. The layer around all routes (`api::finish`) knows the request id and the
    /// status of each kind, logs the error and writes the answer. It stands here because neither the trait nor the type
    /// is `api`'s.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn codes_are_in_capitals_and_distinct() {
        let codes: Vec<&str> = ErrorCode::iter().map(ErrorCode::as_str).collect();
        let is_capital = |code: &str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        assert!(codes.iter().all(|code| is_capital(code)), "{codes:?}");
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), codes.len());
        assert_eq!(ErrorCode::McpInstanceNotFound.as_str(), "MCP_INSTANCE_NOT_FOUND");
    }

    #[test]
    fn the_log_has_the_whole_chain() {
        #[derive(Debug, thiserror::Error)]
        #[error("the row of a run")]
        struct Row(#[source] std::num::ParseIntError);

        let cause = "x".parse::<u8>().unwrap_err();
        let error = Error::internal_from(Row(cause)).with_context("reading");
        assert_eq!(error.causes(), "reading: the row of a run: invalid digit found in string");
        assert!(
            error.to_string().ends_with("[reading: the row of a run: invalid digit found in string]"),
            "{error}"
        );
        assert!(!error.message.contains("digit"), "callers see nothing of it");
    }
}
