//! Who may do what: tokens, roles and scopes. Routes declare the permission that they ask for (`api::routes!`), so that
//! one without does not exist.

mod cache;
mod seal;
mod token;

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use cache::{Authenticator, KEPT_FOR};
pub use token::{PlainToken, TokenKey};

use types::clock::Timestamp;
use types::ids::{MemberId, PatId, Place};
use types::role::Role;
use types::scope::{Permission, Scope};

/// Whoever is calling.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Tenant and project.
    pub place: Place,
    /// The role of the token's owner.
    pub role: Role,
    /// What narrows it; empty means nothing does.
    pub scopes: Vec<Scope>,
    /// The token.
    pub pat_id: PatId,
    /// Its owner.
    pub member_id: MemberId,
    /// When the token ends; what it makes to come in with ends no later.
    pub expires_at: Option<Timestamp>,
}

/// Whose request it is.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Of whoever has a token.
    Token(Arc<Caller>),
    /// The deployment's operator.
    Operator,
}

/// The token that a request carries as `Authorization: Bearer …`, whatever it may be worth.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl Caller {
    /// Whether the caller's scopes allow this.
    pub fn may(&self, permission: Permission) -> bool {
        permission.is_granted_by(&self.scopes)
    }
}
