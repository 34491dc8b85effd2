//! Grants, lapses and balances.

use std::time::Duration;

use crate::state::AppState;
use billing::Action;
use billing::{Account, Balance, MOST_LOTS, Used};
use billing::{Bucket, Metering, Microcredits};
use billing::{Change, LedgerEntry, What};
use platform::boxed;
use store::StoreError;
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::TenantId;
use types::retry::Backoff;
use types::{Error, Result};

/// The most that is granted at once: a billion credits.
const MOST: Microcredits = Microcredits::credits(1_000_000_000);
/// The most that an action may cost: a thousand credits.
const MOST_PRICE: Microcredits = Microcredits::credits(1_000);
/// The most characters of a cause.
const LONGEST_CAUSE: usize = 200;
/// How often a change of an account tries again when it meets another.
const MOST_TRIES: u32 = 10;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(320));

/// Credits to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For what.
    pub bucket: Bucket,
    /// How many.
    pub amount: Microcredits,
    /// What caused it, such as a payment's id: granting twice for one cause is granting once.
    pub cause: String,
    /// When what is left of them lapses.
    pub expires_at: Option<Timestamp>,
    /// For people.
    pub note: Option<String>,
}

impl Grant {
    fn check(&self, now: Timestamp) -> Result<()> {
        if self.amount.is_zero() || self.amount > MOST {
            return Err(Error::invalid(format!("microcredits: must be 1 to {MOST}.")));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid("expires_at: must be in the future."));
        }
        Ok(())
    }

    fn is_of(&self, entry: &LedgerEntry) -> bool {
        entry.microcredits == self.amount
            && matches!(&entry.what, What::Grant { bucket, expires_at, .. }
                if *bucket == self.bucket && *expires_at == self.expires_at)
    }
}

/// Grants credits, once for a cause. Returns the entry of the ledger, of now or of the first time.
///
/// # Errors
/// Invalid when amount, cause or expiry are not acceptable; conflict `CAUSE_IN_USE` when this cause has granted
/// something else, `TOO_MANY_GRANTS` when too many grants with different ends are open.
#[boxed]
pub async fn grant(state: &AppState, tenant: &TenantId, grant: &Grant) -> Result<LedgerEntry> {
    let entry = change(state, tenant, &grant.cause, |account, at, used| {
        grant.check(at)?;
        account.add(grant.bucket, grant.amount, grant.expires_at);
        if account.lots.len() > MOST_LOTS {
            let message = format!("More than {MOST_LOTS} grants with different ends would be open.");
            return Err(Error::conflict(ErrorCode::TooManyGrants, message));
        }
        let what = What::Grant {
            bucket: grant.bucket,
            expires_at: grant.expires_at,
            note: grant.note.clone(),
            change: next_change(account, used),
        };
        Ok(LedgerEntry { at, cause: grant.cause.clone(), microcredits: grant.amount, what })
    })
    .await?;
    if grant.is_of(&entry) { Ok(entry) } else { Err(cause_in_use(&grant.cause)) }
}

/// Lets lapse what is left in a bucket, once for a cause: a trial or a period is over before its grants are. Returns
/// the entry of the ledger, of now or of the first time.
///
/// # Errors
/// Conflict `CAUSE_IN_USE` when this cause has done something else.
#[boxed]
pub async fn withdraw(
    state: &AppState,
    tenant: &TenantId,
    bucket: Bucket,
    cause: &str,
) -> Result<LedgerEntry> {
    let entry = change(state, tenant, cause, |account, at, used| {
        let microcredits = account.withdraw(bucket);
        let what = What::Lapse { bucket, expired: None, change: next_change(account, used) };
        Ok(LedgerEntry { at, cause: cause.to_owned(), microcredits, what })
    })
    .await?;
    match &entry.what {
        What::Lapse { bucket: lapsed, expired: None, .. } if *lapsed == bucket => Ok(entry),
        _ => Err(cause_in_use(cause)),
    }
}

/// What a tenant has left. What has ended meanwhile is entered as lapsed.
///
/// # Errors
/// When the store does not answer.
#[boxed]
pub async fn balance(state: &AppState, tenant: &TenantId) -> Result<Balance> {
    let (account, used) = state.store.account(tenant).await?;
    let now = state.clock.now();
    enter_expiry(state, tenant, &account, used).await;
    Ok(account.balance(used, now))
}

/// Refuses what costs credits when metering is enforced and none are left.
///
/// # Errors
/// Payment required `INSUFFICIENT_CREDITS`.
#[boxed]
pub async fn check(state: &AppState, tenant: &TenantId) -> Result<()> {
    match state.config.metering {
        Metering::Unlimited => Ok(()),
        Metering::Enforced if balance(state, tenant).await?.total().is_zero() => Err(no_credits()),
        Metering::Enforced => Ok(()),
    }
}

/// Agrees on a price with a tenant, or on the usual one again. Runs that have started keep theirs.
///
/// # Errors
/// Invalid when it is too high; unavailable when the database does not answer.
#[boxed]
pub async fn set_price(
    state: &AppState,
    tenant: &TenantId,
    action: Action,
    price: Option<Microcredits>,
) -> Result<Account> {
    if price.is_some_and(|price| price > MOST_PRICE) {
        return Err(Error::invalid(format!("microcredits: must be at most {MOST_PRICE}.")));
    }
    for tries in 0..MOST_TRIES {
        let (mut account, _) = state.store.account(tenant).await?;
        match price {
            Some(price) => account.prices.insert(action, price),
            None => account.prices.remove(&action),
        };
        match state.store.change_account(tenant, account.rev, &account, &[], None).await {
            Ok(()) => {
                tracing::info!(tenant_id = %tenant, action = action.as_str(), ?price, "a price was set");
                return Ok(account);
            }
            Err(StoreError::Conflict) => pause(tries).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(met_others())
}

/// What a caller gets who has no credits left.
pub fn no_credits() -> Error {
    let message = "The workspace has no credits left; top up, or choose a plan that includes more.";
    Error::new(Kind::PaymentRequired, ErrorCode::InsufficientCredits, message)
}

/// Enters as lapsed what has ended, so that what is used from now on takes nothing from it. It may be left to the next
/// one who looks: until then nobody counts it as balance.
pub(crate) async fn enter_expiry(state: &AppState, tenant: &TenantId, account: &Account, used: Used) {
    let now = state.clock.now();
    let mut next = account.clone();
    let entries = prepare(&mut next, used, now);
    if entries.is_empty() {
        return;
    }
    match state.store.change_account(tenant, account.rev, &next, &entries, None).await {
        Ok(()) | Err(StoreError::Conflict) => {}
        Err(error) => tracing::warn!(%error, tenant_id = %tenant, "what has ended is not in the ledger yet"),
    }
}

/// Brings an account up to date: what was used is taken, what has ended lapses, by entries.
fn prepare(account: &mut Account, used: Used, now: Timestamp) -> Vec<LedgerEntry> {
    account.settle(used);
    let lapsed = account.lapse_expired(now);
    let entry = |lapsed: billing::Lapsed| {
        let change = next_change(account, used);
        let cause = format!("expiry/{}/{}/{}", lapsed.bucket.as_str(), lapsed.expired, change.nth);
        let what = What::Lapse { bucket: lapsed.bucket, expired: Some(lapsed.expired), change };
        LedgerEntry { at: now, cause, microcredits: lapsed.left, what }
    };
    lapsed.into_iter().map(entry).collect()
}

fn next_change(account: &mut Account, used: Used) -> Change {
    account.changes += 1;
    Change { nth: account.changes, used }
}

/// Changes an account by one entry, unless its cause has one.
async fn change(
    state: &AppState,
    tenant: &TenantId,
    cause: &str,
    mut make: impl FnMut(&mut Account, Timestamp, Used) -> Result<LedgerEntry>,
) -> Result<LedgerEntry> {
    if cause.is_empty() || cause.chars().count() > LONGEST_CAUSE {
        return Err(Error::invalid(format!("cause: must have 1 to {LONGEST_CAUSE} characters.")));
    }
    if cause.starts_with("run/") || cause.starts_with("expiry/") {
        return Err(Error::invalid(
            "cause: must not begin with run/ or expiry/, which name the ledger's own.",
        ));
    }
    for tries in 0..MOST_TRIES {
        if let Some(entry) = state.store.entry_of_cause(tenant, cause).await? {
            return Ok(entry);
        }
        let (account, used) = state.store.account(tenant).await?;
        let (now, mut next) = (state.clock.now(), account.clone());
        let mut entries = prepare(&mut next, used, now);
        let entry = make(&mut next, now, used)?;
        entries.push(entry.clone());
        match state.store.change_account(tenant, account.rev, &next, &entries, Some(&entry)).await {
            Ok(()) => return Ok(entry),
            Err(StoreError::Conflict) => pause(tries).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(met_others())
}

async fn pause(tries: u32) {
    tokio::time::sleep(PAUSES.wait(tries, rand::random())).await;
}

fn met_others() -> Error {
    Error::unavailable("The database", "a change of an account met another every time")
}

fn cause_in_use(cause: &str) -> Error {
    let message =
        format!("cause: {cause:?} is in the ledger already, with another meaning; nothing was done.");
    Error::conflict(ErrorCode::CauseInUse, message)
}
