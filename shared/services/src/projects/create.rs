//! A project is made.

use super::view::ProjectView;
use crate::state::AppState;
use platform::boxed;
use store::{ProjectRecord, StoreError};
use types::error::ErrorCode;
use types::ids::{ProjectId, TenantId, seed};
use types::text;
use types::{Error, Result};

/// What a new project is made from.
#[derive(Debug)]
pub struct NewProject {
    /// Its id.
    pub project_id: String,
    /// Its name; its id when absent.
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
}

/// Makes a project.
///
/// # Errors
/// Invalid, naming the field; conflict `PROJECT_EXISTS` when the id is in use.
#[boxed]
pub async fn create(state: &AppState, tenant: &TenantId, new: &NewProject) -> Result<ProjectView> {
    let project_id: ProjectId =
        new.project_id.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    let now = state.clock.now();
    let record = ProjectRecord {
        name: text::name("name", new.name.as_deref().unwrap_or(project_id.as_str()))?,
        project_id,
        tenant_id: tenant.clone(),
        description: text::text("description", &new.description)?,
        archived_at: None,
        request: seed::request(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    match state.store.create_project(&record).await {
        Err(StoreError::Conflict) => {
            let message = format!("project_id: {} is in use; choose another.", record.project_id);
            Err(Error::conflict(ErrorCode::ProjectExists, message))
        }
        kept => {
            kept?;
            Ok(record.into())
        }
    }
}
