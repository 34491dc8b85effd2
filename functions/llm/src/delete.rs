//! `DELETE /v1/llm-provider-keys/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWriteLlmKeys, CommonErrors, Path};
use shared::services::llm::keys::delete;
use shared::types::ids::LlmKeyId;
use shared::{AppState, Result};

/// Delete a key; its value is destroyed. Steps that name it fail from now on.
#[utoipa::path(delete, path = "/v1/llm-provider-keys/{id}", tag = "llm",
               params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_key(
    State(state): State<AppState>,
    CanWriteLlmKeys(caller): CanWriteLlmKeys,
    Path(id): Path<LlmKeyId>,
) -> Result<StatusCode> {
    delete(&state, &caller.place, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
