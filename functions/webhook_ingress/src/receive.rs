//! `POST /v1/inbound-webhooks/{id}`.

use std::sync::OnceLock;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use shared::error::Kind;
use shared::http::{CommonErrors, Exchange, Path};
use shared::ids::{RunId, SubscriptionId};
use shared::run::RunStatus;
use shared::webhook::{Delivery, LARGEST_BODY, Signed, receive};
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// A delivery that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The run that it started, or that its first delivery did.
    #[schema(value_type = uuid::Uuid)]
    run_id: RunId,
    /// Where the run stands.
    status: RunStatus,
    /// The subscription.
    #[schema(value_type = uuid::Uuid)]
    subscription_id: SubscriptionId,
}

/// Deliver to an inbound webhook, which starts a run with the body as its input.
///
/// The bearer is the subscription's automation token. The signature is over the body's raw bytes, in one of two
/// forms: `X-Agentruntime-Signature: sha256=<hex HMAC-SHA256>` under the whole signing secret, over the body or, with
/// `X-Agentruntime-Timestamp`, over `<timestamp>.<body>`; or the headers of Standard Webhooks. A clock may differ by
/// 300 s. A delivery whose `Idempotency-Key` or `webhook-id` was seen in the last 72 h is answered with 200 and the
/// run of the first.
#[utoipa::path(post, path = "/v1/inbound-webhooks/{id}", tag = "webhook ingress",
               request_body = std::collections::HashMap<String, serde_json::Value>,
               params(("id" = uuid::Uuid, Path, description = "the subscription"),
                      ("X-Agentruntime-Signature" = Option<String>, Header, example = "sha256=0c94515c15e5095b8a87a50ba0df3bf38ed05fe6"),
                      ("X-Agentruntime-Timestamp" = Option<String>, Header, description = "seconds since 1970"),
                      ("webhook-id" = Option<String>, Header, max_length = 255, pattern = "[^ \\t]"),
                      ("webhook-timestamp" = Option<String>, Header),
                      ("webhook-signature" = Option<String>, Header, example = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
                      ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "[^ \\t]")),
               responses((status = 202, body = Accepted),
                         (status = 200, body = Accepted, description = "it had been accepted before"),
                         CommonErrors))]
pub async fn receive_webhook(
    State(state): State<AppState>,
    Path(id): Path<SubscriptionId>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>)> {
    let (parts, body) = request.into_parts();
    let delivery = Delivery {
        bearer: bearer(&parts.headers),
        signed: Signed::read(|name| text(&parts.headers, name)),
        keys: keys(&parts.headers),
        body: bytes(body).await?,
        allowance: OnceLock::new(),
    };
    let received = receive(&state, id, &delivery).await;
    if let (Some(exchange), Some(allowance)) = (Exchange::of(&parts), delivery.allowance.get()) {
        exchange.note(*allowance);
    }
    let received = received?;
    let status = if received.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    let accepted = Accepted { run_id: received.run_id, status: received.status, subscription_id: id };
    Ok((status, Json(accepted)))
}

/// The whole body; none when it is too large.
async fn bytes(body: Body) -> Result<Option<Vec<u8>>> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(Some(body.to_bytes().into())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => {
            Err(Error::new(Kind::Unreadable, "UNREADABLE", "The body broke off.")
                .with_context(error.to_string()))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What stands behind `Bearer`; nothing when nothing does.
fn bearer(headers: &HeaderMap) -> String {
    let token = text(headers, "authorization").and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    token.unwrap_or_default()
}

/// What the delivery is known by: both names are of one space, since a sender uses the one or the other.
fn keys(headers: &HeaderMap) -> Vec<String> {
    let header =
        |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    ["webhook-id", "idempotency-key"].into_iter().filter_map(header).collect()
}
