//! Idempotent transactions: a `TransactWriteItems` that repeats a client request token within ten minutes
//! is answered, not run again.
//!
//! The library can do this itself, but walks through every token of the last ten minutes at each
//! transaction: at a hundred transactions a second, that is two milliseconds apiece. The SDK gives every
//! transaction a token, so that its own retries are safe.

use dynoxide::DynoxideError;
use dynoxide::actions::transact_write_items::TransactWriteItemsResponse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a token is remembered, as DynamoDB does.
const WINDOW: Duration = Duration::from_secs(600);

/// A transaction's identity: what the caller named it, and a hash of what it writes.
#[derive(Debug)]
pub(super) struct Token {
    /// The client request token.
    pub(super) name: String,
    /// Hash of the items, the same for any order of the attributes.
    pub(super) fingerprint: u64,
}

/// The transactions that succeeded within the window.
#[derive(Default)]
pub(super) struct Tokens {
    done: HashMap<Arc<str>, (u64, TransactWriteItemsResponse)>,
    oldest_first: VecDeque<(Instant, Arc<str>)>,
}

impl Tokens {
    /// Runs `transaction`, unless its token has already succeeded: then repeats that answer. A transaction
    /// that failed may run again under the same token.
    ///
    /// # Errors
    ///
    /// The transaction's own, or `IdempotentParameterMismatchException` when the token stood for other items.
    pub(super) fn run(
        &mut self,
        token: Token,
        now: Instant,
        transaction: impl FnOnce() -> dynoxide::Result<TransactWriteItemsResponse>,
    ) -> dynoxide::Result<TransactWriteItemsResponse> {
        self.forget_before(now);
        match self.done.get(token.name.as_str()) {
            Some((fingerprint, response)) if *fingerprint == token.fingerprint => return Ok(response.clone()),
            Some(_) => {
                return Err(DynoxideError::IdempotentParameterMismatchException(
                    "the client request token was used for another transaction".to_owned(),
                ));
            }
            None => {}
        }
        let response = transaction()?;
        let name: Arc<str> = token.name.into();
        self.oldest_first.push_back((now, Arc::clone(&name)));
        self.done.insert(name, (token.fingerprint, response.clone()));
        Ok(response)
    }

    fn forget_before(&mut self, now: Instant) {
        while let Some((at, name)) = self.oldest_first.front()
            && now.duration_since(*at) >= WINDOW
        {
            self.done.remove(name);
            self.oldest_first.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, fingerprint: u64) -> Token {
        Token { name: name.to_owned(), fingerprint }
    }

    fn runs(tokens: &mut Tokens, token: Token, now: Instant) -> bool {
        let mut ran = false;
        tokens
            .run(token, now, || {
                ran = true;
                Ok(TransactWriteItemsResponse::default())
            })
            .unwrap();
        ran
    }

    #[test]
    fn a_token_runs_once_within_ten_minutes() {
        let mut tokens = Tokens::default();
        let start = Instant::now();
        assert!(runs(&mut tokens, token("a", 1), start));
        assert!(runs(&mut tokens, token("b", 1), start));
        assert!(!runs(&mut tokens, token("a", 1), start + WINDOW - Duration::from_secs(1)));
        assert!(runs(&mut tokens, token("a", 1), start + WINDOW));
        assert_eq!(tokens.done.len(), 1, "what expired is forgotten");
    }

    #[test]
    fn a_token_for_other_items_is_refused() {
        let mut tokens = Tokens::default();
        assert!(runs(&mut tokens, token("a", 1), Instant::now()));
        let error = tokens.run(token("a", 2), Instant::now(), || Ok(TransactWriteItemsResponse::default()));
        assert!(matches!(error, Err(DynoxideError::IdempotentParameterMismatchException(_))));
    }

    #[test]
    fn a_failed_transaction_may_run_again() {
        let mut tokens = Tokens::default();
        let failed = tokens.run(token("a", 1), Instant::now(), || {
            Err(DynoxideError::InternalServerError("disk".to_owned()))
        });
        assert!(failed.is_err());
        assert!(runs(&mut tokens, token("a", 1), Instant::now()));
    }
}
