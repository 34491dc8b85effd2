//! A member who administers a workspace, with a token: what the operator gives to whoever is to run it.

use std::collections::{BTreeMap, BTreeSet};

use shared::services::auth::PlainToken;
use shared::store::{MemberRecord, PatRecord};
use shared::types::clock::Timestamp;
use shared::types::ids::{MemberId, Place, seed};
use shared::types::role::Role;
use shared::{AppState, Result};

/// What they are called.
#[derive(Debug)]
pub struct Names<'a> {
    pub member: &'a str,
    pub token: &'a str,
}

/// A new admin with this token, which is valid in `place`.
pub async fn admin(
    state: &AppState,
    place: &Place,
    names: &Names<'_>,
    token: &PlainToken,
    now: Timestamp,
) -> Result<(MemberRecord, PatRecord)> {
    let request = seed::request();
    let member = MemberRecord {
        id: MemberId::new(now),
        tenant_id: place.tenant_id.clone(),
        display_name: names.member.to_owned(),
        email: None,
        role: Some(Role::TenantAdmin),
        project_roles: BTreeMap::new(),
        pats: BTreeSet::new(),
        request: request.clone(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let pat = PatRecord {
        id: token.id(),
        place: place.clone(),
        member_id: member.id,
        granted: Role::TenantAdmin,
        role: Role::TenantAdmin,
        scopes: Vec::new(),
        display_name: names.token.to_owned(),
        secret_hash: state.auth.key().await?.hash(token),
        token_hint: token.hint(),
        request,
        last_used_day: None,
        created_at: now,
        expires_at_time: None,
    };
    Ok((member, pat))
}
