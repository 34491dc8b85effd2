//! An admin is made for a workspace whose own cannot come in any more.

use super::newcomer::{Names, newcomer, trace};
use crate::auth::PlainToken;
use crate::state::AppState;
use platform::boxed;
use store::{MemberRecord, PatChange, PatRecord, StoreError};
use types::error::{ErrorCode, Kind};
use types::ids::{MemberId, PatId, Place, ProjectId, TenantId};
use types::text;
use types::{Error, Result};

/// What a new admin is made from.
#[derive(Debug)]
pub struct NewAdmin {
    /// Its name; one that says who made it when absent.
    pub display_name: Option<String>,
    /// The project in which its token is valid; `default` when absent.
    pub project_id: Option<String>,
}

/// An admin that was made.
#[derive(Debug)]
pub struct MadeAdmin {
    /// The member.
    pub member_id: MemberId,
    /// Where its token is valid.
    pub place: Place,
    /// Its token.
    pub token: PlainToken,
}

/// Makes an admin for a workspace; what is there stays as it is.
///
/// # Errors
/// Not found when there is no such workspace; invalid, naming the field, also when the workspace has no such project;
/// conflict `PROJECT_ARCHIVED`.
#[boxed]
pub async fn make_admin(state: &AppState, tenant: &TenantId, new: &NewAdmin) -> Result<MadeAdmin> {
    let name = new.display_name.as_deref().unwrap_or("Admin made by the operator");
    let name = text::name("display_name", name)?;
    let project_id = new.project_id.as_deref().unwrap_or("default");
    let project_id: ProjectId =
        project_id.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    let place = Place { tenant_id: tenant.clone(), project_id };
    let now = state.clock.now();
    let token = PlainToken::generate(PatId::new(now))?;
    let names = Names { member: &name, token: "Token made by the operator" };
    let (member, pat) = newcomer(state, &place, &names, &token, now).await?;
    let target = format!("POST /v1/onboarding/workspaces/{}/admins", place.tenant_id);
    let trace = trace(now, &place, "admin.create", &target, member.id.to_string());
    let made = store::NewAdmin { member: &member, pat: &pat, trace: &trace };
    match state.store.create_admin(&made).await {
        Err(StoreError::Conflict) => taken_up(state, &member, &pat).await?,
        made => made?,
    }
    Ok(MadeAdmin { member_id: member.id, place, token })
}

/// Why nothing was made; unless it was, by the same request, whose process died before it could show the token: then
/// the token is replaced.
async fn taken_up(state: &AppState, member: &MemberRecord, pat: &PatRecord) -> Result<()> {
    let Place { tenant_id, project_id } = &pat.place;
    if state.store.count_of_admins(tenant_id).await? == 0 {
        return Err(Error::new(Kind::NotFound, ErrorCode::NotFound, "There is no such workspace."));
    }
    match state.store.project(tenant_id, project_id).await? {
        None => {
            return Err(Error::invalid(format!(
                "project_id: the workspace has no project {project_id}; name one that it has."
            )));
        }
        Some(project) if project.archived_at.is_some() => {
            let message = "project_id: the project is archived; name one that is not.";
            return Err(Error::conflict(ErrorCode::ProjectArchived, message));
        }
        Some(_) => {}
    }
    let made_before = state.store.member(tenant_id, member.id).await?;
    let made_before = made_before.filter(|found| found.request.is_some() && found.request == member.request);
    let owner = made_before.ok_or(StoreError::Conflict)?;
    Ok(state.store.create_pat(&PatChange { pat, owner: &owner }, None).await?)
}
