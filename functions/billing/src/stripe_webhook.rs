//! `POST /v1/billing/stripe-webhook`.

use std::sync::OnceLock;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::AppState;
use shared::api::{CommonErrors, Verified, read_bytes};
use shared::services::billing::events::{Arrival, receive_event as receive};
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
pub async fn receive_event(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let arrival = Arrival { signature, is_proven: OnceLock::new() };
    let body = read_bytes(&parts.headers, body, state.config.body_deadline);
    let received = receive(&state, &arrival, body).await;
    let mut response = received.map(|()| Json(Received { received: true })).into_response();
    if arrival.is_proven.get().is_some() {
        Verified::note(&mut response, None);
    }
    response
}
