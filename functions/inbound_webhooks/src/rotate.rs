//! `POST /v1/inbound-webhooks/{id}/rotate-secret`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanWriteWebhooks, CommonErrors, Path};
use shared::services::webhook::{LONGEST_GRACE, SubscriptionView, USUAL_GRACE, rotate};
use shared::types::clock::Timestamp;
use shared::types::ids::SubscriptionId;
use shared::types::text::secret;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// How to rotate. It may hold a secret, so it does not print.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecret {
    /// For how many seconds the secret before stays valid, up to 30 days; 86400 when absent. 0 ends every earlier one
    /// at once.
    #[schema(minimum = 0, maximum = 2_592_000, example = 86400)]
    grace_s: Option<u64>,
    /// The new secret that the sender has issued; one is made when absent. Required for `stripe`, `slack`, `shopify` and
    /// `twilio`, which issue theirs themselves. It is never shown.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, min_length = 8, max_length = 512, write_only)]
    signing_secret: Option<SecretString>,
}

/// A subscription with its new secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedSecret {
    /// The subscription.
    subscription: SubscriptionView,
    /// What its senders sign with from now on, shown this once; absent when the sender has issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_…")]
    signing_secret: Option<String>,
    /// Until when the secret before stays valid; null when it has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_valid_until: Option<Timestamp>,
}

/// Give an inbound webhook another signing secret: one that is made and shown this once, or the sender's own.
#[utoipa::path(post, path = "/v1/inbound-webhooks/{id}/rotate-secret", tag = "inbound webhooks",
               request_body = RotateSecret, params(("id" = uuid::Uuid, Path)),
               responses((status = 200, body = RotatedSecret), CommonErrors))]
pub async fn rotate_signing_secret(
    State(state): State<AppState>,
    CanWriteWebhooks(caller): CanWriteWebhooks,
    Path(id): Path<SubscriptionId>,
    Body(body): Body<RotateSecret>,
) -> Result<Json<RotatedSecret>> {
    let grace = body.grace_s.map_or(USUAL_GRACE, Duration::from_secs);
    if grace > LONGEST_GRACE {
        return Err(Error::invalid("grace_s: must be 0 to 2592000, which is 30 days."));
    }
    let issued = body.signing_secret;
    let rotated = rotate(&state, &caller.place, id, issued.as_ref(), grace).await?;
    Ok(Json(RotatedSecret {
        subscription: SubscriptionView::new(rotated.record)?,
        signing_secret: rotated.signing_secret.map(|secret| secret.expose_secret().to_owned()),
        previous_valid_until: rotated.previous_valid_until,
    }))
}
