//! Codes that grant credits, once to a tenant. Operators make them.

use serde::Serialize;
use utoipa::ToSchema;

use super::subscription::post;
use crate::state::AppState;
use billing::subscription::Posting;
use billing::{Bucket, Code, Microcredits, Redemption};
use platform::boxed;
use store::StoreError;
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::TenantId;
use types::{Error, Result};

/// The most characters of a code.
const LONGEST: usize = 64;
/// How often a use tries again when it meets another.
const MOST_TRIES: usize = 4;

/// The most that a code grants: a million credits.
const MOST: u64 = 1_000_000_000_000;

/// A code to make.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// What people enter.
    pub code: String,
    /// What it grants to a workspace.
    pub microcredits: u64,
    /// How many workspaces may use it; any number when absent.
    pub max_uses: Option<u64>,
    /// Until when; for ever when absent.
    pub expires_at: Option<Timestamp>,
}

/// A code.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeView {
    /// What people enter.
    code: String,
    /// What it grants to a workspace, in microcredits.
    microcredits: Microcredits,
    /// How many workspaces may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_uses: Option<u64>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A code that was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Applied {
    /// The code.
    code: String,
    /// What it has granted, in microcredits; they stay, as those that are bought do.
    microcredits: Microcredits,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    applied_at: Timestamp,
}

/// A code as it is kept: however people write it, it is one.
fn spelled(text: &str) -> Result<String> {
    let code = text.trim().to_ascii_uppercase();
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if code.is_empty() || code.len() > LONGEST || !code.chars().all(plain) {
        return Err(Error::invalid(format!("code: must be 1 to {LONGEST} letters, digits, - and _.")));
    }
    Ok(code)
}

/// Makes a code that grants credits, once to each workspace.
///
/// # Errors
/// Invalid, naming the field; conflict `CODE_EXISTS` when there is another of this name.
#[boxed]
pub async fn create(state: &AppState, new: &NewCode) -> Result<CodeView> {
    let now = state.clock.now();
    if new.microcredits == 0 || new.microcredits > MOST {
        return Err(Error::invalid(format!("microcredits: must be 1 to {MOST}.")));
    }
    if new.max_uses == Some(0) {
        return Err(Error::invalid("max_uses: must be 1 or more."));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at: must be in the future."));
    }
    let code = Code {
        code: spelled(&new.code)?,
        microcredits: Microcredits(new.microcredits),
        most_uses: new.max_uses,
        ends_at: new.expires_at,
        created_at: now,
    };
    match state.store.create_code(&code).await {
        Err(StoreError::Conflict) => {
            // Whoever makes it again after a crash has made it.
            let there = state.store.code(&code.code).await?;
            if there.is_none_or(|there| (Code { created_at: now, ..there }) != code) {
                let message = format!("code: {} is in use; choose another.", code.code);
                return Err(Error::conflict(ErrorCode::CodeExists, message));
            }
        }
        kept => kept?,
    }
    let Code { code, microcredits, most_uses: max_uses, ends_at: expires_at, .. } = code;
    Ok(CodeView { code, microcredits, max_uses, expires_at })
}

/// Grants what a code grants, once to a tenant: whoever applies it again gets the answer of the first time.
///
/// The use is written first, under the code's own count, and the grant follows, known to the ledger by the code. So a
/// crash between the two is made good by applying the code again.
///
/// # Errors
/// Not found when there is no such code or it has ended; conflict `CODE_USED_UP` when enough tenants have used it.
#[boxed]
pub async fn apply(state: &AppState, tenant: &TenantId, text: &str) -> Result<Applied> {
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
        return Ok(Applied { code: name, microcredits: used.microcredits, applied_at: used.at });
    }
    Err(Error::conflict(ErrorCode::CodeUsedUp, "code: as many workspaces as may have used it."))
}

/// Keeps the use; none when it is not clear why that does not hold.
async fn redeem(state: &AppState, tenant: &TenantId, name: &str) -> Result<Option<Redemption>> {
    let now = state.clock.now();
    let unknown = || {
        Error::new(
            Kind::NotFound,
            ErrorCode::CodeUnknown,
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
