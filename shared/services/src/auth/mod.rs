//! Who may do what: tokens, roles and scopes. Handlers ask for a permission as an extractor
//! (`http::Permit`), so that a route without one does not exist.

mod cache;
mod seal;
mod token;

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

impl Caller {
    /// Whether the caller's scopes allow this.
    pub fn may(&self, permission: Permission) -> bool {
        permission.is_granted_by(&self.scopes)
    }
}
