//! `…/instances/{id}/config-profiles` and what is below it.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanReadMcp, CanWriteMcp, CommonErrors, Cursor, Page, Path, Query};
use shared::services::mcp::instance;
use shared::services::mcp::view::ProfileView;
use shared::types::ids::{InstanceId, ProfileId};
use shared::types::mcp::SourceSpec;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::list::ListQuery;

/// A profile to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProfile {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Sandbox")]
    name: String,
    /// What it says.
    #[serde(default)]
    source_spec: SourceSpec,
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchProfile {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it says, as a whole.
    source_spec: Option<SourceSpec>,
}

/// Profiles, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profiles {
    /// The profiles.
    config_profiles: Vec<ProfileView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List an instance's profiles, newest first.
#[utoipa::path(get, path = "/v1/mcp/instances/{id}/config-profiles", tag = "mcp",
               params(("id" = uuid::Uuid, Path), ListQuery),
               responses((status = 200, body = Profiles), CommonErrors))]
pub async fn list_profiles(
    State(state): State<AppState>,
    CanReadMcp(caller): CanReadMcp,
    Path(id): Path<InstanceId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Profiles>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let after = page.after.as_deref();
    let listed = instance::list_profiles(&state, &caller.place, id, page.limit, after).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Profiles { config_profiles: listed.rows, next_cursor }))
}

/// Make a profile; the first of an instance is active at once.
#[utoipa::path(post, path = "/v1/mcp/instances/{id}/config-profiles", tag = "mcp", request_body = CreateProfile,
               params(("id" = uuid::Uuid, Path)), responses((status = 201, body = ProfileView), CommonErrors))]
pub async fn create_profile(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<InstanceId>,
    Body(new): Body<CreateProfile>,
) -> Result<(StatusCode, Json<ProfileView>)> {
    let name = text::name("name", &new.name)?;
    let created = instance::create_profile(&state, &caller, id, name, &new.source_spec).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Change a profile. Runs under way keep what they were started with.
#[utoipa::path(patch, path = "/v1/mcp/instances/{id}/config-profiles/{profile_id}", tag = "mcp",
               request_body = PatchProfile,
               params(("id" = uuid::Uuid, Path), ("profile_id" = uuid::Uuid, Path)),
               responses((status = 200, body = ProfileView), CommonErrors))]
pub async fn patch_profile(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(at): Path<(InstanceId, ProfileId)>,
    Body(patch): Body<PatchProfile>,
) -> Result<Json<ProfileView>> {
    let name = patch.name.map(|name| text::name("name", &name)).transpose()?;
    instance::change_profile(&state, &caller, at, name, patch.source_spec).await.map(Json)
}

/// Make a profile the one that counts. Runs under way keep what they were started with.
#[utoipa::path(post, path = "/v1/mcp/instances/{id}/config-profiles/{profile_id}/set-active", tag = "mcp",
               params(("id" = uuid::Uuid, Path), ("profile_id" = uuid::Uuid, Path)),
               responses((status = 200, body = ProfileView), CommonErrors))]
pub async fn set_active_profile(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(at): Path<(InstanceId, ProfileId)>,
) -> Result<Json<ProfileView>> {
    instance::set_active(&state, &caller, at).await.map(Json)
}
