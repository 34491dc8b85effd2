//! Buying credits.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::checkout::customer;
use crate::billing::provider::provider;
use crate::billing::subscription::read;
use crate::state::AppState;
use billing::Microcredits;
use billing::plans::Payg;
use clients::stripe::{Key, NewTopup};
use platform::boxed;
use types::ids::TenantId;
use types::{Error, Result};

/// The most characters of an idempotency key.
const LONGEST_KEY: usize = 255;

/// Credits to buy.
#[derive(Debug, Clone)]
pub struct Topup {
    /// What is paid, in the currency's smallest unit.
    pub amount_cents: u64,
    /// What is expected for it; when present it must be what the amount buys.
    pub microcredits: Option<u64>,
    /// The currency, in three small letters; the product's when absent.
    pub currency: Option<String>,
    /// The same key again is the same payment.
    pub idempotency_key: Option<String>,
}

/// A payment that a web page goes on with.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopupIntent {
    /// The payment provider's id of it.
    #[schema(example = "pi_…")]
    payment_intent_id: String,
    /// With which the payment provider's page collects it.
    client_secret: String,
    /// What is paid.
    amount_cents: u64,
    /// What it buys, as soon as it is paid.
    microcredits: Microcredits,
    /// The currency.
    currency: String,
    /// How far the payment is.
    #[schema(example = "requires_payment_method")]
    status: String,
}

/// Begins to buy credits.
///
/// # Errors
/// Invalid, naming the field; unavailable when this deployment takes no payments, or a store or the provider does not
/// answer.
#[boxed]
pub async fn begin(state: &AppState, tenant: &TenantId, asked: &Topup) -> Result<TopupIntent> {
    let payg = &state.config.plans.product()?.payg;
    let microcredits = bought(payg, asked)?;
    let name = name(asked)?;
    let provider = provider(state).await?;
    let customer = customer(state, &provider, &read(state, tenant).await?).await?;
    let new = NewTopup {
        customer: &customer,
        amount_cents: asked.amount_cents,
        currency: &payg.currency,
        microcredits,
    };
    let made =
        provider.create_payment(tenant, &new, &Key::of_call(&state.config.table_name, tenant, &name)).await?;
    Ok(TopupIntent {
        payment_intent_id: made.id,
        client_secret: made.client_secret.unwrap_or_default(),
        amount_cents: asked.amount_cents,
        microcredits,
        currency: payg.currency.clone(),
        status: made.status,
    })
}

fn bought(payg: &Payg, asked: &Topup) -> Result<Microcredits> {
    let Payg { currency, microcredits_per_cent, least_cents, most_cents } = payg;
    if asked.currency.as_ref().is_some_and(|asked| asked != currency) {
        return Err(Error::invalid(format!("currency: credits are sold in {currency}.")));
    }
    if !(*least_cents..=*most_cents).contains(&asked.amount_cents) {
        return Err(Error::invalid(format!("amount_cents: must be {least_cents} to {most_cents}.")));
    }
    let buys = Microcredits(*microcredits_per_cent).times(asked.amount_cents);
    if asked.microcredits.is_some_and(|expected| expected != buys.0) {
        return Err(Error::invalid(format!("microcredits: amount_cents buys {buys}.")));
    }
    Ok(buys)
}

/// What tells this payment from others: the caller's key, that of the request, or nothing.
fn name(asked: &Topup) -> Result<String> {
    if let Some(key) = &asked.idempotency_key {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(Error::invalid(format!("idempotency_key: must have 1 to {LONGEST_KEY} characters.")));
        }
        return Ok(format!("topup {key}"));
    }
    let request = types::ids::seed::request();
    Ok(format!("topup request {}", request.unwrap_or_else(|| Uuid::new_v4().to_string())))
}
