//! Roles, which are ordered.

use serde::{Deserialize, Serialize};

/// What a person may do; each includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    ProjectViewer,
    /// Changes and runs.
    ProjectContributor,
    /// Administers the project.
    ProjectAdmin,
    /// Administers the workspace.
    TenantAdmin,
}

impl Role {
    /// The role as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProjectViewer => "project_viewer",
            Self::ProjectContributor => "project_contributor",
            Self::ProjectAdmin => "project_admin",
            Self::TenantAdmin => "tenant_admin",
        }
    }
}
