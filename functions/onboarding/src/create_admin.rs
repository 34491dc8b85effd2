//! `POST /v1/onboarding/workspaces/{tenant_id}/admins`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CommonErrors, Operator, Path};
use shared::services::workspaces::{self, NewAdmin};
use shared::types::ids::{MemberId, TenantId};
use shared::{AppState, Result};
use utoipa::ToSchema;

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
    let new = NewAdmin { display_name: new.display_name, project_id: new.project_id };
    let made = workspaces::make_admin(&state, &tenant_id, &new).await?;
    let created = WorkspaceAdmin {
        member_id: made.member_id,
        tenant_id: made.place.tenant_id.to_string(),
        project_id: made.place.project_id.to_string(),
        token: made.token.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}
