//! Codes that grant credits, once to a tenant. Operators make them.

use super::subscription::post;
use crate::state::AppState;
use billing::subscription::Posting;
use billing::{Bucket, Redemption};
use store::StoreError;
use types::error::Kind;
use types::ids::TenantId;
use types::{Error, Result};

/// The most characters of a code.
const LONGEST: usize = 64;
/// How often a use tries again when it meets another.
const MOST_TRIES: usize = 4;

/// A code as it is kept: however people write it, it is one.
///
/// # Errors
/// Invalid when it cannot be a code.
pub fn spelled(text: &str) -> Result<String> {
    let code = text.trim().to_ascii_uppercase();
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if code.is_empty() || code.len() > LONGEST || !code.chars().all(plain) {
        return Err(Error::invalid(format!("code: must be 1 to {LONGEST} letters, digits, - and _.")));
    }
    Ok(code)
}

/// Grants what a code grants, once to a tenant: whoever applies it again gets the answer of the first time.
///
/// The use is written first, under the code's own count, and the grant follows, known to the ledger by the code. So a
/// crash between the two is made good by applying the code again.
///
/// # Errors
/// Not found when there is no such code or it has ended; conflict `CODE_USED_UP` when enough tenants have used it.
pub async fn apply(state: &AppState, tenant: &TenantId, text: &str) -> Result<Redemption> {
    let name = spelled(text)?;
    for _ in 0..MOST_TRIES {
        let used = match state.store.redemption(tenant, &name).await? {
            Some(used) => used,
            None => match redeem(state, tenant, &name).await? {
                Some(used) => used,
                None => continue,
            },
        };
        let posting = Posting {
            cause: format!("code/{name}"),
            bucket: Bucket::Payg,
            grant: Some(used.microcredits),
            expires_at: None,
        };
        post(state, tenant, &posting).await?;
        return Ok(used);
    }
    Err(Error::conflict("CODE_USED_UP", "code: as many workspaces as may have used it."))
}

/// Keeps the use; none when it is not clear why that does not hold.
async fn redeem(state: &AppState, tenant: &TenantId, name: &str) -> Result<Option<Redemption>> {
    let now = state.clock.now();
    let unknown = || {
        Error::new(
            Kind::NotFound,
            "CODE_UNKNOWN",
            "code: there is no such code, or its time is over; check it.",
        )
    };
    let code = state.store.code(name).await?.ok_or_else(unknown)?;
    if code.ends_at.is_some_and(|end| end <= now) {
        return Err(unknown());
    }
    let used = Redemption { microcredits: code.microcredits, at: now };
    match state.store.redeem(tenant, &code, &used).await {
        Ok(()) => Ok(Some(used)),
        Err(StoreError::Conflict) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
