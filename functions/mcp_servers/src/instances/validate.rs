//! `POST /v1/mcp/instances/{id}/validate`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanWriteMcp, CommonErrors, Path};
use shared::services::mcp::validate::{self, Validity};
use shared::types::ids::InstanceId;
use shared::{AppState, Result};

/// Check whether an instance can be used, with what its active profile says.
#[utoipa::path(post, path = "/v1/mcp/instances/{id}/validate", tag = "mcp", params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = Validity), CommonErrors))]
pub async fn validate_instance(
    State(state): State<AppState>,
    CanWriteMcp(caller): CanWriteMcp,
    Path(id): Path<InstanceId>,
) -> Result<Json<Validity>> {
    validate::instance(&state, &caller, id).await.map(Json)
}
