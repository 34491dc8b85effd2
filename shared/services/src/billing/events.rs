//! What the payment provider tells.
//!
//! An event only says where to look. What has become of the thing is asked for, so events may come twice, late, out of
//! order or not at all, and whatever they say of amounts and plans is not believed.

use std::sync::OnceLock;

use bytes::Bytes;
use futures_core::future::BoxFuture;

use super::provider::provider;
use super::signature::{Signature, check_event};
use super::subscription::{ask_provider, post};
use crate::state::AppState;
use billing::subscription::Posting;
use billing::{Bucket, Microcredits};
use clients::stripe::{Event, EventObject, PaymentIntent, Provider};
use platform::boxed;
use types::error::{ErrorCode, Kind};
use types::{Error, Result};

/// What came with an event, but for its body.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// The signature.
    pub signature: Option<&'a str>,
    /// Whether the payment provider has proven to be its sender.
    pub is_proven: OnceLock<()>,
}

/// Takes an event. The body is read when there is a provider that may have sent it, and it comes with a signature of now.
///
/// # Errors
/// Unavailable when this deployment takes no payments, or a store or the provider does not answer; those of the body;
/// unreadable when it is no event, or the signature is not of it.
#[boxed]
pub async fn receive_event<'a>(
    state: &'a AppState,
    arrival: &'a Arrival<'_>,
    body: BoxFuture<'a, Result<Bytes>>,
) -> Result<()> {
    let provider = provider(state).await?;
    let signature = Signature::read(arrival.signature.unwrap_or_default());
    signature.precheck(state.clock.now())?;
    let body = body.await?;
    check_event(provider.webhook_secrets(), &signature, &body, state.clock.now())?;
    let _ = arrival.is_proven.set(());
    let event: Event = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Kind::Unreadable, ErrorCode::Unreadable, "The body is no event.")
            .with_context(error.to_string())
    })?;
    look(state, &provider, &event).await
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
