//! Secrets and the rows that own them live in two stores, and a crash may come between any two calls. What holds
//! them together is a third row that says: *nothing owns this secret; destroy it at that time*.
//!
//! - **To create or change**: [`deposit`] writes that row, then the secret. The owner's row is written in one
//!   transaction that deletes that row (`Store::owned`) and, when it referred to another secret before, writes one
//!   for that (`Store::disowned`). When the transaction fails, [`Deposit::abandon`].
//! - **To delete**: one transaction deletes the owner's row and writes one for its secret (`Store::disowned`), then
//!   [`destroy`] does at once what otherwise the sweep does.
//!
//! So an owner's row never refers to a secret that is not there, and a secret that no row refers to is in the list of
//! what the sweep destroys. The sweep marks such a row first: a late transaction that would own the secret then
//! fails.

use std::time::Duration;

use secrecy::SecretString;
use uuid::Uuid;

use crate::state::AppState;
use platform::boxed;
use platform::secrets::{SecretKind, SecretRef};
use store::DueSecret;
use types::Result;
use types::ids::{Place, SecretVersion};

/// How long an owner may take to come: longer than any invocation, so that none that is under way loses its secret.
const OWNED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// When a secret that could not be destroyed is tried again.
const NEXT_TRY: Duration = Duration::from_secs(60);

/// A secret that was put and that nothing owns yet.
#[derive(Debug)]
#[must_use = "a secret that nothing owns is destroyed"]
pub struct Deposit {
    secret: SecretRef,
}

/// Puts a secret, for an owner whose row is written next.
///
/// # Errors
/// Unavailable when a store does not answer; what was put all the same is destroyed.
#[boxed]
pub async fn deposit(
    state: &AppState,
    place: &Place,
    kind: SecretKind,
    owner: Uuid,
    value: SecretString,
) -> Result<Deposit> {
    let now = state.clock.now();
    let secret = SecretRef { place: place.clone(), kind, owner, version: SecretVersion::random() };
    state.store.note_unowned(&secret, now.plus(OWNED_WITHIN)).await?;
    let deposit = Deposit { secret };
    match state.secrets.put(&deposit.secret, value).await {
        Ok(()) => Ok(deposit),
        Err(error) => {
            deposit.abandon(state).await;
            Err(error)
        }
    }
}

impl Deposit {
    /// The secret.
    pub fn secret(&self) -> &SecretRef {
        &self.secret
    }

    /// Destroys it, because its owner's row could not be written. If that row was written all the same, which a
    /// lost answer leaves open, it stays.
    #[boxed]
    pub async fn abandon(self, state: &AppState) {
        destroy(state, &self.secret).await;
    }
}

/// Destroys a secret that nothing owns. What fails is left to the sweep.
#[boxed]
pub async fn destroy(state: &AppState, secret: &SecretRef) {
    if let Err(error) = destroy_due(state, &DueSecret { secret: secret.clone(), at: state.clock.now() }).await
    {
        tracing::warn!(%error, owner = %secret.owner, "a secret is destroyed by a later sweep");
    }
}

/// Destroys a secret that nothing owns, when its time has come.
///
/// # Errors
/// When a store does not answer; it is tried again in a minute.
#[boxed]
pub async fn destroy_due(state: &AppState, due: &DueSecret) -> Result<()> {
    let now = state.clock.now();
    if due.at > now || !state.store.doom(&due.secret, now.plus(NEXT_TRY)).await? {
        return Ok(());
    }
    state.secrets.delete(&due.secret).await?;
    Ok(state.store.forget_unowned(&due.secret).await?)
}
