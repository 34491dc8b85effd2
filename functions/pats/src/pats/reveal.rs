//! `GET /v1/pats/{id}/reveal`.

use axum::extract::State;
use shared::api::{CanManagePats, CommonErrors, ErrorBody, Path};
use shared::services::pats;
use shared::types::ids::PatId;
use shared::{AppState, Result};

/// A token is shown once, when it is made: this is always refused.
#[utoipa::path(get, path = "/v1/pats/{id}/reveal", tag = "access", params(("id" = uuid::Uuid, Path)),
               responses((status = 410, body = ErrorBody, description = "It was shown when it was made"),
                         CommonErrors))]
pub async fn reveal_pat(
    State(state): State<AppState>,
    CanManagePats(caller): CanManagePats,
    Path(id): Path<PatId>,
) -> Result<()> {
    pats::reveal(&state, &caller, id).await
}
