//! `POST /v1/billing/stripe-webhook`.
//!
//! An event only says where to look. What has become of the thing is asked for, so events may come twice, late, out of
//! order or not at all, and whatever they say of amounts and plans is not believed.

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use shared::api::{CommonErrors, read_bytes};
use shared::billing::subscription::Posting;
use shared::billing::{Bucket, Microcredits};
use shared::clients::stripe::{Event, EventObject, PaymentIntent, Provider};
use shared::services::billing::signature::{Signature, check_event};
use shared::services::billing::subscription::{ask_provider, post};
use shared::types::error::Kind;
use shared::{AppState, Error, Result};
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
    let provider = shared::services::billing::provider(&state).await?;
    let (parts, body) = request.into_parts();
    let header = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let signature = Signature::read(header.unwrap_or_default());
    let body = read_bytes(&parts.headers, body).await?;
    check_event(provider.webhook_secrets(), &signature, &body, state.clock.now())?;
    let event: Event = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Kind::Unreadable, "UNREADABLE", "The body is no event.").with_context(error.to_string())
    })?;
    look(&state, &provider, &event).await?;
    Ok(Json(Received { received: true }))
}

async fn look(state: &AppState, provider: &Provider<'_>, event: &Event) -> Result<()> {
    match event.object() {
        EventObject::Subscription(id) => subscription(state, provider, event.customer(), id).await,
        EventObject::Invoice(id) => invoice(state, provider, id).await,
        EventObject::Payment(id) => payment(state, provider, id).await,
        EventObject::Other => Ok(()),
    }
}

async fn subscription(
    state: &AppState,
    provider: &Provider<'_>,
    customer: Option<&str>,
    id: &str,
) -> Result<()> {
    let Some(customer) = customer else { return Ok(()) };
    // Another deployment may share the account.
    let Some(tenant) = state.store.tenant_of_customer(customer).await? else { return Ok(()) };
    ask_provider(state, provider, &tenant, Some(id)).await.map(|_| ())
}

async fn invoice(state: &AppState, provider: &Provider<'_>, id: &str) -> Result<()> {
    let Some(invoice) = provider.invoice(id).await? else { return Ok(()) };
    let Some(customer) = invoice.customer() else { return Ok(()) };
    let Some(tenant) = state.store.tenant_of_customer(customer).await? else { return Ok(()) };
    if let Some(payment) = invoice.payment(&state.config.plans) {
        state.store.keep_payment(&tenant, &payment).await?;
    }
    match invoice.subscription() {
        Some(id) => ask_provider(state, provider, &tenant, Some(id)).await.map(|_| ()),
        None => Ok(()),
    }
}

async fn payment(state: &AppState, provider: &Provider<'_>, id: &str) -> Result<()> {
    let Some(payment) = provider.payment(id).await? else { return Ok(()) };
    // Payments of invoices buy no credits.
    let (Some(customer), Some(microcredits)) = (&payment.customer, payment.microcredits()) else {
        return Ok(());
    };
    let Some(tenant) = state.store.tenant_of_customer(customer.id()).await? else { return Ok(()) };
    state.store.keep_payment(&tenant, &payment.payment()).await?;
    if payment.is_paid() {
        post(state, &tenant, &bought(&payment, microcredits)).await?;
    }
    Ok(())
}

fn bought(payment: &PaymentIntent, microcredits: u64) -> Posting {
    Posting {
        cause: format!("payment/{}", payment.id),
        bucket: Bucket::Payg,
        grant: Some(Microcredits(microcredits)),
        expires_at: None,
    }
}
