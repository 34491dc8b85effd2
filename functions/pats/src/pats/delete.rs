//! `DELETE /v1/pats/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanManagePats, CommonErrors, Path};
use shared::services::pats;
use shared::types::ids::PatId;
use shared::{AppState, Result};

/// Revoke a token. It ends within 60 seconds everywhere.
///
/// One's own tokens, and as a project admin every token of the project whose role is not above one's own.
#[utoipa::path(delete, path = "/v1/pats/{id}", tag = "access", params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_pat(
    State(state): State<AppState>,
    CanManagePats(caller): CanManagePats,
    Path(id): Path<PatId>,
) -> Result<StatusCode> {
    pats::revoke(&state, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
