//! Keys of what tenants have of plans, and of what they pay.

use super::Key;
use super::deadlines::{PLAN_MARK, deadline_before, shard_of};
use types::clock::Timestamp;
use types::ids::TenantId;

/// What a tenant has of a product's plans.
pub(crate) fn standing(tenant: &TenantId) -> Key {
    Key { pk: format!("T#{tenant}#PLAN"), sk: "STANDING".to_owned() }
}

/// Whose a customer of the payment provider is: its messages name nothing else.
pub(crate) fn customer(id: &str) -> Key {
    Key { pk: format!("CUSTOMER#{id}"), sk: "CUSTOMER".to_owned() }
}

/// The partition with a tenant's payments, in order of time.
pub(crate) fn payments_of(tenant: &TenantId) -> String {
    format!("T#{tenant}#PAYMENTS")
}

/// A payment.
pub(crate) fn payment(tenant: &TenantId, at: Timestamp, id: &str) -> Key {
    Key { pk: payments_of(tenant), sk: format!("{at}#{id}") }
}

/// A code that grants credits, to whichever tenant.
pub(crate) fn code(code: &str) -> Key {
    Key { pk: format!("CODE#{code}"), sk: "CODE".to_owned() }
}

/// A tenant's use of a code.
pub(crate) fn redemption(tenant: &TenantId, code: &str) -> Key {
    Key { pk: format!("T#{tenant}#CODES"), sk: code.to_owned() }
}

/// A standing's place in the deadline index.
pub(crate) fn standing_position(at: Timestamp, tenant: &TenantId) -> String {
    format!("{}#{PLAN_MARK}#{tenant}", deadline_before(at))
}

/// The partition that it stands in.
pub(crate) fn standing_shard_of(tenant: &TenantId) -> String {
    shard_of(tenant.as_str())
}
