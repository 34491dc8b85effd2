//! Projects as callers see them.

use serde::Serialize;
use utoipa::ToSchema;

use store::ProjectRecord;
use types::clock::Timestamp;

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectView {
    /// The project: what `X-Project-Id` names.
    #[schema(example = "prod")]
    project_id: String,
    /// Its workspace.
    tenant_id: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// `active` or `archived`.
    status: ProjectStatus,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Where a project stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectStatus {
    /// Tokens can be made for it.
    Active,
    /// Put away: nobody comes in until it is restored.
    Archived,
}

impl From<ProjectRecord> for ProjectView {
    fn from(record: ProjectRecord) -> Self {
        let status = match record.archived_at {
            None => ProjectStatus::Active,
            Some(_) => ProjectStatus::Archived,
        };
        Self {
            project_id: record.project_id.to_string(),
            tenant_id: record.tenant_id.to_string(),
            name: record.name,
            description: record.description,
            status,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}
