//! Members read: one by its id, and a workspace's in a list.

use super::view::MemberView;
use crate::state::AppState;
use platform::boxed;
use store::{Listed, MemberRecord};
use types::ids::{MemberId, TenantId};
use types::{Error, Result};

/// Somebody else may change the same row at the same moment; then it is read again, at most so often.
pub(super) const MOST_TRIES: usize = 5;

/// A member of a workspace.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn get(state: &AppState, tenant: &TenantId, id: MemberId) -> Result<MemberView> {
    Ok(find(state, tenant, id).await?.into())
}

/// A workspace's members, newest first, from behind `after`.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    tenant: &TenantId,
    limit: usize,
    after: Option<MemberId>,
) -> Result<Listed<MemberView>> {
    let listed = state.store.list_members(tenant, limit, after).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(MemberView::from).collect(), next: listed.next })
}

/// A member's row; not found when the workspace has none of this id.
pub(super) async fn find(state: &AppState, tenant: &TenantId, id: MemberId) -> Result<MemberRecord> {
    state.store.member(tenant, id).await?.ok_or_else(|| Error::not_found("member"))
}
