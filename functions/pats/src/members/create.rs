//! `POST /v1/members`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors};
use shared::services::members::{self, MemberView};
use shared::types::ids::ProjectId;
use shared::types::role::Role;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A member to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Alex")]
    display_name: String,
    /// Where to reach it.
    #[schema(example = "alex@example.com")]
    email: Option<String>,
    /// Its role in every project; none when absent.
    role: Option<Role>,
    /// Its roles in single projects; where both are given the higher one counts.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Role>, example = json!({ "prod": "project_viewer" }))]
    project_roles: BTreeMap<ProjectId, Role>,
}

/// Make a member: a person, or a program, with roles in the workspace.
///
/// It comes in with a token that a tenant admin makes for it: `POST /v1/pats` with `member_id`.
#[utoipa::path(post, path = "/v1/members", tag = "access", request_body = NewMember,
               responses((status = 201, body = MemberView), CommonErrors))]
pub async fn create_member(
    State(state): State<AppState>,
    CanManageMembers(caller): CanManageMembers,
    Body(new): Body<NewMember>,
) -> Result<(StatusCode, Json<MemberView>)> {
    let NewMember { display_name, email, role, project_roles } = new;
    let new = members::NewMember { display_name, email, role, project_roles };
    let made = members::create(&state, &caller.place.tenant_id, new).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
