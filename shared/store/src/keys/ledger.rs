//! Keys of what tenants are granted and use.

use super::Key;
use types::clock::Timestamp;
use types::ids::TenantId;

/// The partition with a tenant's account, and the rows that count what it uses.
pub(crate) fn balance(tenant: &TenantId) -> String {
    format!("T#{tenant}#BALANCE")
}

/// The sort key of an account.
pub(crate) const ACCOUNT: &str = "ACCOUNT";

/// A tenant's account.
pub(crate) fn account(tenant: &TenantId) -> Key {
    Key { pk: balance(tenant), sk: ACCOUNT.to_owned() }
}

/// A row that counts what a tenant uses.
pub(crate) fn used(tenant: &TenantId, spread: u8) -> Key {
    Key { pk: balance(tenant), sk: format!("USED#{spread:02}") }
}

/// The partition with a tenant's ledger, in order of time.
pub(crate) fn ledger(tenant: &TenantId) -> String {
    format!("T#{tenant}#LEDGER")
}

/// An entry of it.
pub(crate) fn ledger_entry(tenant: &TenantId, at: Timestamp, which: &str) -> Key {
    Key { pk: ledger(tenant), sk: format!("{at}#{which}") }
}

/// The row of a grant or lapse by its cause.
pub(crate) fn ledger_cause(tenant: &TenantId, cause: &str) -> Key {
    Key { pk: format!("T#{tenant}#CAUSES"), sk: cause.to_owned() }
}
