//! What a workspace has paid.

use crate::state::AppState;
use billing::payments::Payment;
use platform::boxed;
use store::Listed;
use types::clock::Timestamp;
use types::ids::TenantId;
use types::{Error, Result};

/// What a workspace has paid, and what it tried to, newest first, after a place in the list.
///
/// # Errors
/// Invalid when the place is none of this list; when the database does not answer.
#[boxed]
pub async fn payments(
    state: &AppState,
    tenant: &TenantId,
    limit: usize,
    after: Option<String>,
) -> Result<Listed<Payment>> {
    if after.as_deref().is_some_and(|place| !is_place(place)) {
        return Err(Error::invalid("cursor: is not one of this list's."));
    }
    Ok(state.store.list_payments(tenant, limit, after).await?)
}

/// A place in the list: a time, and a payment's id.
fn is_place(text: &str) -> bool {
    text.split_once('#').is_some_and(|(at, id)| at.parse::<Timestamp>().is_ok() && !id.is_empty())
}
