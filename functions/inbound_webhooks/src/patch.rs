//! `PATCH /v1/inbound-webhooks/{id}`.

use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;
use shared::api::{Body, CanWriteWebhooks, CommonErrors, Path};
use shared::services::webhook::{Extras, Sender, SubscriptionChange, SubscriptionView, change};
use shared::types::ids::SubscriptionId;
use shared::types::text;
use shared::types::text::secret;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays. It may hold a secret, so it does not print.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchInboundWebhook {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether it takes deliveries.
    enabled: Option<bool>,
    /// What its runs are started with, beside the body; whole.
    extras: Option<Extras>,
    /// Who sends, and so how deliveries are signed.
    sender: Option<Sender>,
    /// Whether deliveries carry the token as their bearer. When absent and `sender` is another than before: true for
    /// `generic`, else false.
    require_bearer: Option<bool>,
    /// The secret that the sender has issued, 8–512 characters, which is valid from now on; every earlier one ends at
    /// once. To let the one before be valid for a while, rotate it. It is never shown.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, min_length = 8, max_length = 512, write_only)]
    signing_secret: Option<SecretString>,
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
    let wanted = SubscriptionChange {
        name,
        enabled: patch.enabled,
        extras: patch.extras,
        sender: patch.sender,
        require_bearer: patch.require_bearer,
        signing_secret: patch.signing_secret,
    };
    SubscriptionView::new(change(&state, &caller.place, id, &wanted).await?).map(Json)
}
