//! `PATCH /v1/llm-provider-keys/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanWriteLlmKeys, CommonErrors, Path};
use shared::services::llm::manage::change;
use shared::services::llm::view::KeyView;
use shared::types::ids::LlmKeyId;
use shared::types::text;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays. Where a key is sent changes with its value, by `rotate`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPatch {
    /// What people call it, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether steps that name no key use it. When no key of a provider is chosen so, the oldest is used.
    is_default: Option<bool>,
}

/// Change a key's name, or whether it is the one that steps use which name none.
#[utoipa::path(patch, path = "/v1/llm-provider-keys/{id}", tag = "llm", request_body = KeyPatch,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = KeyView), CommonErrors))]
pub async fn patch_key(
    State(state): State<AppState>,
    CanWriteLlmKeys(caller): CanWriteLlmKeys,
    Path(id): Path<LlmKeyId>,
    Body(patch): Body<KeyPatch>,
) -> Result<Json<KeyView>> {
    let name = patch.name.map(|name| text::name("name", &name)).transpose()?;
    change(&state, &caller.place, id, name.as_deref(), patch.is_default).await.map(Json)
}
