//! A workspace is opened.

use super::newcomer::{Names, newcomer, trace};
use crate::auth::PlainToken;
use crate::state::AppState;
use platform::boxed;
use store::{NewTenant, ProjectRecord, StoreError};
use types::error::ErrorCode;
use types::ids::{PatId, Place, ProjectId, TenantId, seed};
use types::text;
use types::{Error, Result};

/// What a new workspace is made from.
#[derive(Debug)]
pub struct NewWorkspace {
    /// Its name for people.
    pub name: String,
    /// Its id.
    pub slug: String,
    /// Its first project; `default` when absent.
    pub project_id: Option<String>,
}

/// Opens a workspace, and returns its first project with the token of its first admin.
///
/// # Errors
/// Invalid, naming the field; conflict `SLUG_IN_USE` when there is a workspace of this id.
#[boxed]
pub async fn create(state: &AppState, new: &NewWorkspace) -> Result<(Place, PlainToken)> {
    let name = text::name("name", &new.name)?;
    let tenant_id: TenantId = new.slug.parse().map_err(|why| Error::invalid(format!("slug: {why}.")))?;
    let project_id = new.project_id.as_deref().unwrap_or("default");
    let project_id: ProjectId =
        project_id.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;

    let place = Place { tenant_id, project_id };
    let token = PlainToken::generate(PatId::new(state.clock.now()))?;
    open(state, &name, &place, &token).await?;
    Ok((place, token))
}

/// Opens a workspace with this token as its first.
///
/// # Errors
/// Conflict `SLUG_IN_USE` when there is a workspace of this id.
#[boxed]
pub async fn open(state: &AppState, name: &str, place: &Place, token: &PlainToken) -> Result<()> {
    let now = state.clock.now();
    let project = ProjectRecord {
        project_id: place.project_id.clone(),
        tenant_id: place.tenant_id.clone(),
        name: place.project_id.to_string(),
        description: String::new(),
        archived_at: None,
        request: seed::request(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let names = Names { member: "First admin", token: "First token" };
    let (member, pat) = newcomer(state, place, &names, token, now).await?;
    let made = place.tenant_id.to_string();
    let trace = trace(now, place, "workspace.create", "POST /v1/onboarding/workspaces", made);
    let tenant = NewTenant { name, project: &project, member: &member, pat: &pat, trace: Some(&trace) };
    state.store.create_tenant(&tenant).await.map_err(|error| match error {
        StoreError::Conflict => Error::conflict(
            ErrorCode::SlugInUse,
            format!("slug: {} is in use; choose another.", place.tenant_id),
        ),
        other => other.into(),
    })
}
