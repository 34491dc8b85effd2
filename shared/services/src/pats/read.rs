//! Tokens read: one by its id, and a project's in a list.

use super::view::PatView;
use crate::auth::Caller;
use crate::state::AppState;
use platform::boxed;
use store::{Listed, PatRecord};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{PatId, Place};
use types::{Error, Result};

/// Somebody else may change a token's owner at the same moment; then it is read again, at most so often.
pub(super) const MOST_TRIES: usize = 5;

/// A project's tokens, newest first, from behind `after`, which is `next` of the page before.
///
/// # Errors
/// Invalid when `after` is no place in this list; unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    limit: usize,
    after: Option<&str>,
) -> Result<Listed<PatView>> {
    let after = after.map(position).transpose()?;
    let listed = state.store.list_pats(place, limit, after).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(PatView::from).collect(), next: listed.next })
}

/// Refuses to show a token again.
///
/// # Errors
/// Always: not found when there is no such token in the caller's project, else gone `ALREADY_SHOWN`.
#[boxed]
pub async fn reveal(state: &AppState, caller: &Caller, id: PatId) -> Result<()> {
    find(state, caller, id).await?;
    let message =
        "The token was shown when it was made, and is not kept; make a new one and revoke this one.";
    Err(Error::new(Kind::Gone, ErrorCode::AlreadyShown, message))
}

/// A token of the caller's project.
pub(super) async fn find(state: &AppState, caller: &Caller, id: PatId) -> Result<PatRecord> {
    let found = state.store.pat(id).await?.filter(|pat| pat.place == caller.place);
    found.ok_or_else(|| Error::not_found("token"))
}

/// A place in the list of tokens, as its cursors carry it.
pub(super) fn position(text: &str) -> Result<(Timestamp, PatId)> {
    let read = || {
        let (created_at, id) = text.split_once('#')?;
        Some((created_at.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| Error::invalid("cursor: is not one of this list's."))
}
