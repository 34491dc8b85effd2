//! A project's name and description are changed.

use super::read::{MOST_TRIES, find};
use super::view::ProjectView;
use crate::state::AppState;
use platform::boxed;
use store::StoreError;
use types::Result;
use types::ids::TenantId;
use types::text;

/// What to change of a project; what is absent stays.
#[derive(Debug)]
pub struct ProjectChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// Changes a project.
///
/// # Errors
/// Not found; invalid, naming the field.
#[boxed]
pub async fn change(
    state: &AppState,
    tenant: &TenantId,
    id: &str,
    change: &ProjectChange,
) -> Result<ProjectView> {
    let name = change.name.as_deref().map(|name| text::name("name", name)).transpose()?;
    let description = change.description.as_deref().map(|it| text::text("description", it)).transpose()?;
    for _ in 0..MOST_TRIES {
        let mut record = find(state, tenant, id).await?;
        if let Some(name) = &name {
            record.name.clone_from(name);
        }
        if let Some(description) = &description {
            record.description.clone_from(description);
        }
        record.updated_at = state.clock.now();
        match state.store.save_project(&mut record).await {
            Err(StoreError::Conflict) => {}
            saved => {
                saved?;
                return Ok(record.into());
            }
        }
    }
    Err(StoreError::Conflict.into())
}
