//! A token is made: not more than whoever makes it may do, nor than its owner may.

use super::read::MOST_TRIES;
use super::view::PatView;
use crate::auth::{Caller, PlainToken};
use crate::state::AppState;
use platform::boxed;
use store::{MOST_PATS, MemberRecord, PatChange, PatRecord, StoreError};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{MemberId, PatId, Place, ProjectId, seed};
use types::role::Role;
use types::scope::Scope;
use types::text;
use types::{Error, Result};

/// What a new token is made from.
#[derive(Debug)]
pub struct NewPat {
    /// Its name.
    pub display_name: String,
    /// What narrows its role; empty means nothing does.
    pub scopes: Vec<Scope>,
    /// When it ends; when the caller's own token does, when absent.
    pub expires_at: Option<Timestamp>,
    /// What it may do at most; as much as can be given, when absent.
    pub role: Option<Role>,
    /// The project in which it is valid; the caller's when absent.
    pub project_id: Option<String>,
    /// Whose it is; the caller's when absent.
    pub member_id: Option<MemberId>,
}

/// Makes a token, and returns what can be seen of it later, too, with the token itself.
///
/// # Errors
/// Invalid, naming the field; forbidden `ROLE_TOO_LOW`, `ROLE_EXCEEDED`, `SCOPE_EXCEEDED` or `EXPIRY_EXCEEDED` when it
/// would be more than the caller may give; conflict `TOO_MANY_TOKENS` or `PROJECT_ARCHIVED`.
#[boxed]
pub async fn create(state: &AppState, caller: &Caller, new: NewPat) -> Result<(PatView, PlainToken)> {
    let display_name = text::name("display_name", &new.display_name)?;
    let now = state.clock.now();
    let expires_at_time = end(caller, new.expires_at, now)?;
    let place = place(caller, new.project_id.as_deref())?;
    let member_id = new.member_id.unwrap_or(caller.member_id);
    if member_id != caller.member_id {
        only_admins(caller, "member_id: only a tenant_admin may make tokens of other members.")?;
    }
    let scopes = scopes(caller, new.scopes)?;
    let token = PlainToken::generate(PatId::new(now))?;
    let secret_hash = state.auth.key().await?.hash(&token);
    for _ in 0..MOST_TRIES {
        let owner = owner(state, &place, member_id).await?;
        let over = make_room(state, &owner, now).await?;
        let role = role(caller, &owner, &place.project_id, new.role)?;
        let pat = PatRecord {
            id: token.id(),
            place: place.clone(),
            member_id,
            granted: role,
            role,
            scopes: scopes.clone(),
            display_name: display_name.clone(),
            secret_hash: secret_hash.clone(),
            token_hint: token.hint(),
            request: seed::request(),
            last_used_day: None,
            created_at: now,
            expires_at_time,
        };
        match state.store.create_pat(&PatChange { pat: &pat, owner: &owner }, over).await {
            Err(StoreError::Conflict) => check_project(state, &place).await?,
            kept => {
                kept?;
                return Ok((pat.into(), token));
            }
        }
    }
    Err(StoreError::Conflict.into())
}

fn place(caller: &Caller, asked: Option<&str>) -> Result<Place> {
    let Some(asked) = asked.filter(|asked| *asked != caller.place.project_id.as_str()) else {
        return Ok(caller.place.clone());
    };
    only_admins(caller, "project_id: only a tenant_admin may make tokens for other projects.")?;
    let project_id = asked.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    Ok(Place { tenant_id: caller.place.tenant_id.clone(), project_id })
}

fn only_admins(caller: &Caller, message: &str) -> Result<()> {
    match caller.role {
        Role::TenantAdmin => Ok(()),
        _ => Err(Error::new(Kind::Forbidden, ErrorCode::RoleTooLow, message)),
    }
}

async fn owner(state: &AppState, place: &Place, id: MemberId) -> Result<MemberRecord> {
    let found = state.store.member(&place.tenant_id, id).await?;
    found.ok_or_else(|| Error::invalid("member_id: the workspace has no such member."))
}

/// The token that goes when a member has all that it may have: of those whose time is over, the one that has been so
/// the longest. They are listed until then.
async fn make_room(state: &AppState, owner: &MemberRecord, now: Timestamp) -> Result<Option<PatId>> {
    if owner.pats.len() < MOST_PATS {
        return Ok(None);
    }
    let pats = state.store.pats_of_member(owner).await?;
    let over =
        pats.into_iter().filter_map(|pat| Some((pat.expires_at_time.filter(|end| *end <= now)?, pat.id)));
    match over.min() {
        Some((_, longest)) => Ok(Some(longest)),
        None => Err(Error::conflict(
            ErrorCode::TooManyTokens,
            format!(
                "A member has at most {MOST_PATS} valid tokens, and this one has them; revoke one first."
            ),
        )),
    }
}

/// When the token ends: in the future, and not after the caller's own, so that nobody stays longer than they were let
/// in for.
fn end(caller: &Caller, asked: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>> {
    match (asked, caller.expires_at) {
        (Some(end), _) if end <= now => Err(Error::invalid("expires_at: must be in the future.")),
        (Some(end), Some(own)) if end > own => {
            let message = format!(
                "expires_at: {end} is later than {own}, when your own token ends; choose that or an earlier time."
            );
            Err(Error::new(Kind::Forbidden, ErrorCode::ExpiryExceeded, message))
        }
        (asked, own) => Ok(asked.or(own)),
    }
}

/// Not more than the owner's role there, and not more than the caller's own.
fn role(caller: &Caller, owner: &MemberRecord, project: &ProjectId, asked: Option<Role>) -> Result<Role> {
    let Some(owners) = owner.role_in(project) else {
        return Err(Error::invalid(format!(
            "member_id: the member has no role in the project {project}; give it one with PATCH /v1/members/{{id}}."
        )));
    };
    let most = owners.min(caller.role);
    match asked {
        Some(role) if role > most => {
            let message = format!(
                "role: {} is more than {}, which is all that can be given here.",
                role.as_str(),
                most.as_str()
            );
            Err(Error::new(Kind::Forbidden, ErrorCode::RoleExceeded, message))
        }
        role => Ok(role.unwrap_or(most)),
    }
}

fn scopes(caller: &Caller, mut asked: Vec<Scope>) -> Result<Vec<Scope>> {
    let mut seen = Vec::new();
    asked.retain(|scope| {
        let new = !seen.contains(scope);
        seen.push(*scope);
        new
    });
    let exceeded = |message| Err(Error::new(Kind::Forbidden, ErrorCode::ScopeExceeded, message));
    if asked.is_empty() && !caller.scopes.is_empty() {
        let own: Vec<&str> = caller.scopes.iter().map(|scope| scope.as_str()).collect();
        return exceeded(format!("scopes: name them; your own token has only {}.", own.join(", ")));
    }
    let is_own = |scope: &Scope| scope.grants().iter().all(|permission| caller.may(*permission));
    match asked.iter().find(|scope| !is_own(scope)) {
        Some(scope) => exceeded(format!("scopes: your own token does not have {}.", scope.as_str())),
        None => Ok(asked),
    }
}

/// A write that did not hold may have met a project that is not there any more, or never was.
async fn check_project(state: &AppState, place: &Place) -> Result<()> {
    match state.store.project(&place.tenant_id, &place.project_id).await? {
        None => Err(Error::invalid("project_id: the workspace has no such project.")),
        Some(project) if project.archived_at.is_some() => Err(Error::conflict(
            ErrorCode::ProjectArchived,
            "project_id: the project is archived; restore it to make tokens.",
        )),
        Some(_) => Ok(()),
    }
}
