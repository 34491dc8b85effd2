//! A member who administers a workspace, with a token: what the operator gives to whoever is to run it.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::PlainToken;
use crate::state::AppState;
use store::{Actor, AuditOutcome, AuditRecord, MemberRecord, PatRecord};
use types::Result;
use types::clock::Timestamp;
use types::ids::{MemberId, Place, seed};
use types::role::Role;

/// What they are called.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) member: &'a str,
    pub(super) token: &'a str,
}

/// A new admin with this token, which is valid in `place`.
pub(super) async fn newcomer(
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

/// The entry of what the operator does, and makes.
pub(super) fn trace(now: Timestamp, place: &Place, action: &str, target: &str, made: String) -> AuditRecord {
    let operator = Actor { pat_id: None, member_id: None, role: None };
    let mut trace = AuditRecord::new(now, place, operator, action, target);
    trace.outcome = AuditOutcome::Done;
    trace.made = Some(made);
    trace
}
