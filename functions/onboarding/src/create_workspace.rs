//! `POST /v1/onboarding/workspaces`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CommonErrors, Operator};
use shared::services::auth::PlainToken;
use shared::store::{Actor, AuditOutcome as Outcome, AuditRecord};
use shared::store::{NewTenant, ProjectRecord, StoreError};
use shared::types::ids::{PatId, Place, ProjectId, TenantId, seed};
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::admin::{Names, admin};

/// A workspace to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    /// Its name for people, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    name: String,
    /// Its id: 1–63 of `a-z 0-9 -`.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "acme")]
    slug: String,
    /// Its first project, `default` when absent; the same characters.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "prod")]
    project_id: Option<String>,
}

/// An open workspace.
#[derive(Debug, Serialize, ToSchema)]
pub struct Workspace {
    /// The tenant's id: the slug.
    tenant_id: String,
    /// Its first project.
    project_id: String,
    /// A token with the rights of a tenant admin, shown this once.
    #[schema(example = "pat_…")]
    token: String,
}

/// Open a workspace.
///
/// The bearer is the operator token, which the deployment keeps in its secret store.
#[utoipa::path(post, path = "/v1/onboarding/workspaces", tag = "operators", request_body = NewWorkspace,
               responses((status = 201, body = Workspace), CommonErrors))]
pub async fn create_workspace(
    State(state): State<AppState>,
    _: Operator,
    Body(new): Body<NewWorkspace>,
) -> Result<(StatusCode, Json<Workspace>)> {
    let name = shared::types::text::name("name", &new.name)?;
    let tenant_id: TenantId = new.slug.parse().map_err(|why| Error::invalid(format!("slug: {why}.")))?;
    let project_id = new.project_id.as_deref().unwrap_or("default");
    let project_id: ProjectId =
        project_id.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;

    let place = Place { tenant_id, project_id };
    let token = PlainToken::generate(PatId::new(state.clock.now()))?;
    open(&state, &name, &place, &token).await?;
    let workspace = Workspace {
        tenant_id: place.tenant_id.to_string(),
        project_id: place.project_id.to_string(),
        token: token.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(workspace)))
}

/// Opens a workspace with this token as its first.
///
/// # Errors
/// Conflict `SLUG_IN_USE` when there is a workspace of this id.
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
    let (member, pat) = admin(state, place, &names, token, now).await?;
    let operator = Actor { pat_id: None, member_id: None, role: None };
    let mut trace =
        AuditRecord::new(now, place, operator, "workspace.create", "POST /v1/onboarding/workspaces");
    trace.outcome = Outcome::Done;
    trace.made = Some(place.tenant_id.to_string());
    let tenant = NewTenant { name, project: &project, member: &member, pat: &pat, trace: Some(&trace) };
    state.store.create_tenant(&tenant).await.map_err(|error| match error {
        StoreError::Conflict => {
            Error::conflict("SLUG_IN_USE", format!("slug: {} is in use; choose another.", place.tenant_id))
        }
        other => other.into(),
    })
}
