//! `PATCH /v1/inbound-webhooks/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::http::{Body, CanWriteWebhooks, CommonErrors, Path};
use shared::ids::SubscriptionId;
use shared::text;
use shared::webhook::{Extras, SubscriptionChange, change};
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::view::SubscriptionView;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchInboundWebhook {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether it takes deliveries.
    enabled: Option<bool>,
    /// What its runs are started with, beside the body; whole.
    extras: Option<Extras>,
}

/// Change an inbound webhook.
#[utoipa::path(patch, path = "/v1/inbound-webhooks/{id}", tag = "inbound webhooks",
               request_body = PatchInboundWebhook, params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = SubscriptionView), CommonErrors))]
pub async fn patch_inbound_webhook(
    State(state): State<AppState>,
    CanWriteWebhooks(caller): CanWriteWebhooks,
    Path(id): Path<SubscriptionId>,
    Body(patch): Body<PatchInboundWebhook>,
) -> Result<Json<SubscriptionView>> {
    let name = patch.name.map(|name| text::name("name", &name)).transpose()?;
    let wanted = SubscriptionChange { name, enabled: patch.enabled, extras: patch.extras };
    SubscriptionView::new(change(&state, &caller.place, id, &wanted).await?).map(Json)
}
