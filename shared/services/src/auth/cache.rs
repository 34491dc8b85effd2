//! From a bearer token to a caller, with the rows of tokens kept for a while: a revoked token ends everywhere
//! within [`KEPT_FOR`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{Caller, PlainToken, TokenKey};
use platform::boxed;
use platform::cache::{Cache, Stay};
use platform::secrets::SecretStore;
use store::{PatRecord, Store};
use types::clock::{Clock, Timestamp};
use types::error::{ErrorCode, Kind};
use types::ids::PatId;
use types::{Error, Result};

/// How long a token's row is believed without another look.
pub const KEPT_FOR: Duration = Duration::from_secs(45);
const MAX_KEPT: u64 = 10_000;

/// Tells callers by their tokens.
#[derive(Debug)]
pub struct Authenticator {
    secrets: Arc<dyn SecretStore>,
    key_name: String,
    key: OnceCell<TokenKey>,
    clock: Clock,
    rows: Cache<PatId, Known>,
    /// The day on which this process saw to it that the token's row names it.
    touched: Cache<PatId, i64>,
}

/// What was read of a token.
#[derive(Debug, Clone)]
struct Known {
    /// Also that there is none: a revoked token must not take longer than a wrong one.
    row: Option<Arc<PatRecord>>,
    read_at: Timestamp,
}

impl Known {
    /// However often it is used meanwhile. A clock that was set back believes nothing.
    fn holds(&self, now: Timestamp) -> bool {
        self.read_at <= now && now < self.read_at.plus(KEPT_FOR)
    }
}

impl Authenticator {
    /// Hashes with the key that the secret store holds under `key_name`.
    pub fn new(secrets: Arc<dyn SecretStore>, key_name: impl Into<String>, clock: Clock) -> Self {
        Self {
            secrets,
            key_name: key_name.into(),
            key: OnceCell::new(),
            clock,
            rows: Cache::new(MAX_KEPT, Stay::Unlimited),
            touched: Cache::new(MAX_KEPT, Stay::Unlimited),
        }
    }

    /// The key for hashing tokens, read once per process.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    #[boxed]
    pub async fn key<'a>(&'a self) -> Result<&'a TokenKey> {
        self.key
            .get_or_try_init(|| async {
                let key = self.secrets.get(&self.key_name).await?;
                key.map(TokenKey::new)
                    .ok_or_else(|| Error::internal("the token key is missing in the secret store"))
            })
            .await
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// Unauthenticated, in the same words whatever is wrong with it; unavailable when a store does not answer.
    #[boxed]
    pub async fn authenticate(&self, store: &Store, bearer: &str, now: Timestamp) -> Result<Caller> {
        let token = PlainToken::parse(bearer).ok_or_else(unauthenticated)?;
        let key = self.key().await?;
        let row = self.row(store, token.id()).await?.ok_or_else(unauthenticated)?;
        let expired = row.expires_at_time.is_some_and(|end| end <= now);
        if expired || !key.matches(&token, &row.secret_hash) {
            return Err(unauthenticated());
        }
        Ok(Caller {
            place: row.place.clone(),
            role: row.role,
            scopes: row.scopes.clone(),
            pat_id: row.id,
            member_id: row.member_id,
            expires_at: row.expires_at_time,
        })
    }

    /// A token's row as it was at most [`KEPT_FOR`] ago; none when there is no such token, or no longer. Whoever asks
    /// what a token may do asks here, so that what is revoked ends everywhere at the same time.
    ///
    /// # Errors
    /// Unavailable when the database does not answer.
    #[boxed]
    pub async fn row(&self, store: &Store, id: PatId) -> Result<Option<Arc<PatRecord>>> {
        // Before the read: what it says may be as old as that.
        let read_at = self.clock.now();
        if let Some(known) = self.rows.get(&id).filter(|known| known.holds(read_at)) {
            return Ok(known.row);
        }
        let row = store.pat(id).await?.map(Arc::new);
        self.rows.insert(id, Known { row: row.clone(), read_at });
        Ok(row)
    }

    /// Notes that a token is used today: at most one write per token, day and process, and none when another
    /// process has made it. A note that cannot be made is left out: it must not keep its owner from anything.
    #[boxed]
    pub async fn touch(&self, store: &Store, caller: &Caller, now: Timestamp) {
        let today = now.day();
        let of_row =
            self.rows.get(&caller.pat_id).and_then(|known| known.row).and_then(|row| row.last_used_day);
        let known = self.touched.get(&caller.pat_id).max(of_row);
        if known >= Some(today) {
            return;
        }
        self.touched.insert(caller.pat_id, today);
        if let Err(error) = store.touch_pat(caller.pat_id, today).await {
            tracing::warn!(%error, pat_id = %caller.pat_id, "the day of a token's use could not be noted");
        }
    }

    /// Forgets what is known of a token, so that this process sees at once that it was changed or revoked.
    pub fn forget(&self, id: PatId) {
        self.rows.remove(&id);
    }
}

fn unauthenticated() -> Error {
    Error::new(
        Kind::Unauthenticated,
        ErrorCode::Unauthenticated,
        "The token is not valid: send a valid one as 'Authorization: Bearer pat_…'.",
    )
}
