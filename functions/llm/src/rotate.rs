//! `POST /v1/llm-provider-keys/{id}/rotate`.

use axum::Json;
use axum::extract::State;
use shared::api::{Body, CanWriteLlmKeys, CommonErrors, Path};
use shared::services::llm::manage::rotate;
use shared::services::llm::view::KeyView;
use shared::types::ids::LlmKeyId;
use shared::{AppState, Result};

use crate::values::Values;

/// Put another value in place of a key's.
///
/// Steps that begin from now on use the new one. `base_url`, `region` and `organization` stay when they are absent.
#[utoipa::path(post, path = "/v1/llm-provider-keys/{id}/rotate", tag = "llm", request_body = Values,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = KeyView), CommonErrors))]
pub async fn rotate_key(
    State(state): State<AppState>,
    CanWriteLlmKeys(caller): CanWriteLlmKeys,
    Path(id): Path<LlmKeyId>,
    Body(values): Body<Values>,
) -> Result<Json<KeyView>> {
    rotate(&state, &caller.place, id, values.into()).await.map(Json)
}
