//! Members as callers see them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use store::MemberRecord;
use types::clock::Timestamp;
use types::ids::{MemberId, ProjectId};
use types::role::Role;

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The member.
    #[schema(value_type = uuid::Uuid)]
    id: MemberId,
    /// Its name.
    display_name: String,
    /// Where to reach it.
    email: Option<String>,
    /// Its role in every project; null when it has none.
    role: Option<Role>,
    /// Its roles in single projects; where both are given the higher one counts.
    #[schema(value_type = BTreeMap<String, Role>)]
    project_roles: BTreeMap<ProjectId, Role>,
    /// How many tokens it has.
    tokens: usize,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When somebody changed it last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<MemberRecord> for MemberView {
    fn from(record: MemberRecord) -> Self {
        Self {
            id: record.id,
            display_name: record.display_name,
            email: record.email,
            role: record.role,
            project_roles: record.project_roles,
            tokens: record.pats.len(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}
