//! `DELETE /v1/inbound-webhooks/{id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWriteWebhooks, CommonErrors, Path};
use shared::services::webhook::delete;
use shared::types::ids::SubscriptionId;
use shared::{AppState, Result};

/// Delete an inbound webhook and destroy its secrets. Runs that it started go on.
#[utoipa::path(delete, path = "/v1/inbound-webhooks/{id}", tag = "inbound webhooks",
               params(("id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_inbound_webhook(
    State(state): State<AppState>,
    CanWriteWebhooks(caller): CanWriteWebhooks,
    Path(id): Path<SubscriptionId>,
) -> Result<StatusCode> {
    delete(&state, &caller.place, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
