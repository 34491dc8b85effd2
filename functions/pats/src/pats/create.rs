//! `POST /v1/pats`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanManagePats, CommonErrors};
use shared::services::pats::{self, PatView};
use shared::types::clock::Timestamp;
use shared::types::ids::MemberId;
use shared::types::role::Role;
use shared::types::scope::Scope;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPat {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "CI of order-triage")]
    display_name: String,
    /// What it may be used for; none means all that its role allows. What they grant is not more than the caller's own
    /// token may. Names of the hosted product are kept as they are given, and each grants its own routes; a list whose
    /// names grant nothing grants nothing.
    #[serde(default)]
    scopes: Vec<Scope>,
    /// When it ends; when the caller's own token does, when absent. Not later than that.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// What it may do at most; as much as its owner, and not more than the caller's own token, when absent.
    role: Option<Role>,
    /// The project in which it is valid; the caller's when absent. Another one: tenant admins only.
    project_id: Option<String>,
    /// Whose it is; the caller's when absent. Another member's: tenant admins only.
    #[schema(value_type = Option<uuid::Uuid>)]
    member_id: Option<MemberId>,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedPat {
    /// What can be seen of it later, too.
    #[serde(flatten)]
    pat: PatView,
    /// The token, shown this once.
    #[schema(example = "pat_…")]
    token: String,
}

/// Make a token. It is shown this once.
#[utoipa::path(post, path = "/v1/pats", tag = "access", request_body = NewPat,
               responses((status = 201, body = CreatedPat), CommonErrors))]
pub async fn create_pat(
    State(state): State<AppState>,
    CanManagePats(caller): CanManagePats,
    Body(new): Body<NewPat>,
) -> Result<(StatusCode, Json<CreatedPat>)> {
    let NewPat { display_name, scopes, expires_at, role, project_id, member_id } = new;
    let new = pats::NewPat { display_name, scopes, expires_at, role, project_id, member_id };
    let (pat, token) = pats::create(&state, &caller, new).await?;
    Ok((StatusCode::CREATED, Json(CreatedPat { pat, token: token.reveal().to_owned() })))
}
