//! `GET /v1/inbound-webhooks/{id}`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadWebhooks, CommonErrors, Path};
use shared::services::webhook::{SubscriptionView, find};
use shared::types::ids::SubscriptionId;
use shared::{AppState, Result};

/// Read an inbound webhook.
#[utoipa::path(get, path = "/v1/inbound-webhooks/{id}", tag = "inbound webhooks",
               params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = SubscriptionView), CommonErrors))]
pub async fn get_inbound_webhook(
    State(state): State<AppState>,
    CanReadWebhooks(caller): CanReadWebhooks,
    Path(id): Path<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    SubscriptionView::new(find(&state, &caller.place, id).await?).map(Json)
}
