//! The end of a token: its row goes, and with it its name in its owner's row.

use shared::store::{PatChange, PatRecord, StoreError};
use shared::{AppState, Error, Result};

use crate::MOST_TRIES;

/// Revokes a token. It ends at once in this process, and within a minute in every other.
///
/// # Errors
/// Not found when somebody else has revoked it.
pub async fn revoke(state: &AppState, pat: &PatRecord) -> Result<()> {
    for _ in 0..MOST_TRIES {
        let owner = state.store.member(&pat.place.tenant_id, pat.member_id).await?;
        // Without its owner a token is gone, too.
        let owner = owner.ok_or_else(|| Error::not_found("token"))?;
        match state.store.delete_pat(&PatChange { pat, owner: &owner }).await {
            Err(StoreError::Conflict) => {
                if state.store.pat(pat.id).await?.is_none() {
                    state.auth.forget(pat.id);
                    return Err(Error::not_found("token"));
                }
            }
            done => {
                state.auth.forget(pat.id);
                return Ok(done?);
            }
        }
    }
    Err(StoreError::Conflict.into())
}
