//! `POST /v1/onboarding/workspaces/{tenant_id}/admins`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CommonErrors, Operator, Path};
use shared::services::auth::PlainToken;
use shared::store::{Actor, AuditOutcome as Outcome, AuditRecord};
use shared::store::{MemberRecord, NewAdmin, PatChange, PatRecord, StoreError};
use shared::types::error::Kind;
use shared::types::ids::{MemberId, PatId, Place, ProjectId, TenantId};
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::admin::{Names, admin};

/// An admin to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspaceAdmin {
    /// Its name, 1–200 characters; `Admin made by the operator` when absent.
    #[schema(min_length = 1, max_length = 200, example = "Alex, who has lost every token")]
    display_name: Option<String>,
    /// The project in which its token is valid; `default` when absent.
    #[schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "prod")]
    project_id: Option<String>,
}

/// A new admin.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkspaceAdmin {
    /// The member that was made.
    #[schema(value_type = uuid::Uuid)]
    member_id: MemberId,
    /// Its workspace.
    tenant_id: String,
    /// The project in which its token is valid.
    project_id: String,
    /// A token with the rights of a tenant admin, shown this once.
    #[schema(example = "pat_…")]
    token: String,
}

/// Make an admin for a workspace whose own cannot come in any more.
///
/// A new member with the role `tenant_admin` and a token; what is there stays as it is. The bearer is the operator
/// token. It stands in the workspace's audit trail as `admin.create`.
#[utoipa::path(post, path = "/v1/onboarding/workspaces/{tenant_id}/admins", tag = "operators",
               request_body = NewWorkspaceAdmin, params(("tenant_id" = String, Path)),
               responses((status = 201, body = WorkspaceAdmin), CommonErrors))]
pub async fn create_admin(
    State(state): State<AppState>,
    _: Operator,
    Path(tenant_id): Path<TenantId>,
    Body(new): Body<NewWorkspaceAdmin>,
) -> Result<(StatusCode, Json<WorkspaceAdmin>)> {
    let name = new.display_name.as_deref().unwrap_or("Admin made by the operator");
    let name = text::name("display_name", name)?;
    let project_id = new.project_id.as_deref().unwrap_or("default");
    let project_id: ProjectId =
        project_id.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    let place = Place { tenant_id, project_id };
    let now = state.clock.now();
    let token = PlainToken::generate(PatId::new(now))?;
    let names = Names { member: &name, token: "Token made by the operator" };
    let (member, pat) = admin(&state, &place, &names, &token, now).await?;
    let operator = Actor { pat_id: None, member_id: None, role: None };
    let target = format!("POST /v1/onboarding/workspaces/{}/admins", place.tenant_id);
    let mut trace = AuditRecord::new(now, &place, operator, "admin.create", &target);
    trace.outcome = Outcome::Done;
    trace.made = Some(member.id.to_string());
    let made = NewAdmin { member: &member, pat: &pat, trace: &trace };
    match state.store.create_admin(&made).await {
        Err(StoreError::Conflict) => taken_up(&state, &member, &pat).await?,
        made => made?,
    }
    let created = WorkspaceAdmin {
        member_id: member.id,
        tenant_id: place.tenant_id.to_string(),
        project_id: place.project_id.to_string(),
        token: token.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Why nothing was made; unless it was, by the same request, whose process died before it could show the token: then
/// the token is replaced.
async fn taken_up(state: &AppState, member: &MemberRecord, pat: &PatRecord) -> Result<()> {
    let Place { tenant_id, project_id } = &pat.place;
    if state.store.count_of_admins(tenant_id).await? == 0 {
        return Err(Error::new(Kind::NotFound, "NOT_FOUND", "There is no such workspace."));
    }
    match state.store.project(tenant_id, project_id).await? {
        None => {
            return Err(Error::invalid(format!(
                "project_id: the workspace has no project {project_id}; name one that it has."
            )));
        }
        Some(project) if project.archived_at.is_some() => {
            let message = "project_id: the project is archived; name one that is not.";
            return Err(Error::conflict("PROJECT_ARCHIVED", message));
        }
        Some(_) => {}
    }
    let made_before = state.store.member(tenant_id, member.id).await?;
    let made_before = made_before.filter(|found| found.request.is_some() && found.request == member.request);
    let owner = made_before.ok_or(StoreError::Conflict)?;
    Ok(state.store.create_pat(&PatChange { pat, owner: &owner }, None).await?)
}
