//! Tokens as callers see them: everything but the token.

use serde::Serialize;
use utoipa::ToSchema;

use store::PatRecord;
use types::clock::Timestamp;
use types::ids::{MemberId, PatId};
use types::role::Role;
use types::scope::Scope;

/// A token, without the token itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatView {
    /// The token's public part.
    #[schema(value_type = uuid::Uuid)]
    id: PatId,
    /// Its name.
    display_name: String,
    /// How its owner knows it again: its last four characters.
    #[schema(example = "pat_…x2Qk")]
    token_hint: String,
    /// Whose it is.
    #[schema(value_type = uuid::Uuid)]
    member_id: MemberId,
    /// The project in which it is valid.
    project_id: String,
    /// What it may do at most.
    role: Role,
    /// What narrows that; empty means that nothing does.
    scopes: Vec<Scope>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The day on which it was last used; null when it never was.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<PatRecord> for PatView {
    fn from(record: PatRecord) -> Self {
        Self {
            id: record.id,
            display_name: record.display_name,
            token_hint: record.token_hint,
            member_id: record.member_id,
            project_id: record.place.project_id.to_string(),
            role: record.role,
            scopes: record.scopes,
            created_at: record.created_at,
            expires_at: record.expires_at_time,
            last_used_at: record.last_used_day.map(Timestamp::of_day),
        }
    }
}
