//! `POST /v1/inbound-webhooks/{id}`.

use std::sync::OnceLock;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use shared::AppState;
use shared::api::{CommonErrors, Path, Verified, collect_body};
use shared::services::webhook::{Accepted, Delivery, MAX_BODY, Reply, receive};
use shared::types::ids::SubscriptionId;

/// Deliver to an inbound webhook, which starts a run with the body as its input.
///
/// A delivery carries a signature over the body's raw bytes, and the subscription's automation token as its bearer unless
/// the subscription has `require_bearer: false`. **Senders that sign with the SDKs carry no bearer: their subscription needs
/// `require_bearer: false`, or each of their deliveries is answered 401.** The 401 has the same words whatever is wrong; the
/// subscription's deliveries say what it was.
///
/// A subscription with the sender `generic` takes one of these forms, under the whole signing secret:
///
/// - `X-Agentruntime-Signature: sha256=<hex HMAC-SHA256>` over the body or, with `X-Agentruntime-Timestamp`, over
///   `<timestamp>.<body>`;
/// - `X-Agentruntime-Signature: t=<unix s>,v1=<hex HMAC-SHA256>` over `<t>.<body>`, as the SDKs send it; several `v1` are
///   allowed;
/// - the headers of Standard Webhooks, under the bytes behind `whsec_`.
///
/// The other senders sign as they document it: `github` (`X-Hub-Signature-256`), `stripe` (`Stripe-Signature`), `slack`
/// (`X-Slack-Signature`), `shopify` (`X-Shopify-Hmac-Sha256`), `twilio` (`X-Twilio-Signature`). A clock may differ by 300 s.
///
/// The body is a JSON object or a form, of at most 256 KiB; compressed with gzip or deflate it is verified as it was sent and
/// has at most 1 MiB once it is decoded. A form's fields are texts, or lists of them when a name comes again; `payload` of
/// GitHub and Slack is read as the JSON that it is. A delivery whose `Idempotency-Key`, `webhook-id` or sender's own id was
/// seen in the last 72 h is answered with 200 and the run of the first. Where no token is required, a signature without a
/// time is known for 30 days, so that it starts one run only.
#[utoipa::path(post, path = "/v1/inbound-webhooks/{id}", tag = "webhook ingress",
               request_body(content(
                   (std::collections::HashMap<String, serde_json::Value> = "application/json"),
                   (std::collections::HashMap<String, serde_json::Value> = "application/x-www-form-urlencoded"))),
               params(("id" = uuid::Uuid, Path, description = "the subscription"),
                      ("X-Agentruntime-Signature" = Option<String>, Header, example = "t=1790000000,v1=0c94515c15e5095b8a87a50ba0df3bf38ed05fe6"),
                      ("X-Agentruntime-Timestamp" = Option<String>, Header, description = "seconds since 1970"),
                      ("webhook-id" = Option<String>, Header, max_length = 255, pattern = "[^ \\t]"),
                      ("webhook-timestamp" = Option<String>, Header),
                      ("webhook-signature" = Option<String>, Header, example = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
                      ("X-Hub-Signature-256" = Option<String>, Header),
                      ("Stripe-Signature" = Option<String>, Header),
                      ("X-Slack-Signature" = Option<String>, Header),
                      ("X-Slack-Request-Timestamp" = Option<String>, Header),
                      ("X-Shopify-Hmac-Sha256" = Option<String>, Header),
                      ("X-Twilio-Signature" = Option<String>, Header),
                      ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "[^ \\t]")),
               responses((status = 202, body = Accepted),
                         (status = 200, description = "it had been accepted before; or the text of Slack's challenge; or nothing, to Slack's commands and interactions",
                          content((Accepted = "application/json"), (String = "text/plain"))),
                         CommonErrors))]
pub async fn receive_webhook(
    State(state): State<AppState>,
    Path(id): Path<SubscriptionId>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let delivery = Delivery { headers: &parts.headers, target, allowance: OnceLock::new() };
    let body = collect_body(body, MAX_BODY, state.config.body_deadline);
    let reply = receive(&state, id, &delivery, body).await;
    let mut response = reply.map(|reply| answered(reply, id)).into_response();
    if let Some(allowance) = delivery.allowance.get() {
        Verified::note(&mut response, Some(*allowance));
    }
    response
}

fn answered(reply: Reply, id: SubscriptionId) -> Response {
    match reply {
        Reply::Run(received) => {
            let status = if received.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
            (status, Json(Accepted::new(received, id))).into_response()
        }
        // Whoever is shown the answer must not read JSON in it, and for Slack a 202 is a failure.
        Reply::Quiet(_) => StatusCode::OK.into_response(),
        Reply::Challenge(text) => text.into_response(),
    }
}
