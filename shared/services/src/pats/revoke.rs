//! The end of a token: its row goes, and with it its name in its owner's row.

use super::read::{MOST_TRIES, find, position};
use crate::auth::Caller;
use crate::state::AppState;
use platform::boxed;
use store::{PatChange, PatRecord, StoreError};
use types::error::{ErrorCode, Kind};
use types::ids::{PatId, Place};
use types::role::Role;
use types::{Error, Result};

/// How many tokens of a project are looked at and revoked at a time.
const PAGE: usize = 100;

/// Revokes a token of the caller's project. It ends at once in this process, and within a minute in every other.
///
/// # Errors
/// Not found when there is none, or somebody else has revoked it; forbidden `ROLE_TOO_LOW` when it is another
/// member's and the caller is no project admin, or it has a higher role than the caller.
#[boxed]
pub async fn revoke(state: &AppState, caller: &Caller, id: PatId) -> Result<()> {
    let pat = find(state, caller, id).await?;
    let may = caller.member_id == pat.member_id || caller.role >= Role::ProjectAdmin;
    if !may || pat.role > caller.role {
        let message = "Revoking another member's token needs the role project_admin, and not a lower one than \
                       the token has.";
        return Err(Error::new(Kind::Forbidden, ErrorCode::RoleTooLow, message));
    }
    end(state, &pat).await
}

/// Revokes all tokens of a project. Whoever is interrupted here begins again, and goes on with those that are left.
///
/// # Errors
/// Conflict when others change the owner of one every time; unavailable when the database does not answer.
#[boxed]
pub async fn revoke_all(state: &AppState, place: &Place) -> Result<()> {
    let mut after = None;
    loop {
        let listed = state.store.list_pats(place, PAGE, after).await?;
        for pat in &listed.rows {
            match end(state, pat).await {
                Err(error) if error.code != ErrorCode::NotFound => return Err(error),
                _ => {}
            }
        }
        match listed.next.as_deref().map(position).transpose()? {
            Some(place) => after = Some(place),
            None => return Ok(()),
        }
    }
}

/// Revokes this token; not found when somebody else has revoked it.
async fn end(state: &AppState, pat: &PatRecord) -> Result<()> {
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
