//! `POST /v1/mcp/instances/{id}/validate`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanWriteMcp, CommonErrors, Path};
use shared::platform::secrets::Mask;
use shared::services::mcp::instance::find_with_server;
use shared::services::mcp::server::{Validity, validate};
use shared::services::mcp::target::{binding_of, of_binding};
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
    let (instance, server) = find_with_server(&state, &caller.place, id).await?;
    let binding = binding_of(&instance, &server, None)?;
    let mut mask = Mask::default();
    let target = of_binding(&state, &caller.place, &binding, &mut mask).await;
    Ok(Json(validate(&state, &server, target, &mask).await))
}
