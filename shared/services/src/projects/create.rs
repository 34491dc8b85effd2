//! A project is made.

use super::view::ProjectView;
use crate::quotas::within;
use crate::state::AppState;
use platform::boxed;
use store::{Counted, ProjectRecord, QuotaGuard, StoreError};
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
/// Invalid, naming the field; conflict `PROJECT_EXISTS` when the id is in use, and when the workspace has as many as
/// it may.
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
    let make = |guard| keep(state, &record, guard);
    within(state, Counted::Projects(tenant.clone()), make).await?;
    Ok(record.into())
}

async fn keep(state: &AppState, record: &ProjectRecord, guard: QuotaGuard) -> Result<()> {
    let kept = state.store.create_project(record, guard).await;
    if !matches!(kept, Err(StoreError::Conflict)) {
        return Ok(kept?);
    }
    match state.store.project(&record.tenant_id, &record.project_id).await? {
        // It was the quota's guard that did not hold.
        None => Err(StoreError::Conflict.into()),
        // A request that is carried out again finds its own.
        Some(found) if found.request.is_some() && found.request == record.request => Ok(()),
        Some(_) => {
            let message = format!("project_id: {} is in use; choose another.", record.project_id);
            Err(Error::conflict(ErrorCode::ProjectExists, message))
        }
    }
}
