//! `POST /v1/billing/stripe-webhook`.

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use shared::api::{CommonErrors, read_bytes};
use shared::services::billing::events::receive_event as receive;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// An event that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Received {
    /// Always true.
    received: bool,
}

/// Tell of something that has happened at the payment provider.
///
/// For the payment provider: the signature over the body's raw bytes is the proof. Events that are of no concern are
/// answered alike.
#[utoipa::path(post, path = "/v1/billing/stripe-webhook", tag = "billing", security(()),
               request_body = std::collections::HashMap<String, serde_json::Value>,
               params(("Stripe-Signature" = String, Header, example = "t=1764288000,v1=5257a869e7ec")),
               responses((status = 200, body = Received), CommonErrors))]
pub async fn receive_event(State(state): State<AppState>, request: Request) -> Result<Json<Received>> {
    let (parts, body) = request.into_parts();
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    receive(&state, signature, Box::pin(read_bytes(&parts.headers, body))).await?;
    Ok(Json(Received { received: true }))
}
