//! `POST /v1/members`.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanManageMembers, CommonErrors};
use shared::store::{MemberRecord, StoreError};
use shared::types::ids::{MemberId, ProjectId, seed};
use shared::types::role::Role;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

use super::view::{self, MemberView};

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
    let tenant_id = caller.place.tenant_id;
    view::project_roles(&state, &tenant_id, &new.project_roles).await?;
    let now = state.clock.now();
    let record = MemberRecord {
        id: MemberId::new(now),
        tenant_id,
        display_name: text::name("display_name", &new.display_name)?,
        email: new.email.as_deref().map(view::email).transpose()?,
        role: new.role,
        project_roles: new.project_roles,
        pats: BTreeSet::new(),
        request: seed::request(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    view::check_roles(&record)?;
    match state.store.create_member(&record).await {
        // A request that is carried out again finds its own.
        Err(StoreError::Conflict) if record.request.is_some() => {
            let found = view::find(&state, &record.tenant_id, record.id).await?;
            Ok((StatusCode::CREATED, Json(found.into())))
        }
        kept => {
            kept?;
            Ok((StatusCode::CREATED, Json(record.into())))
        }
    }
}
