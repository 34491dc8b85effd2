//! What a workspace has left, as callers see it.

use serde::Serialize;
use utoipa::ToSchema;

use super::ledger::balance;
use crate::state::AppState;
use billing::{Balance, Microcredits};
use platform::boxed;
use types::Result;
use types::ids::TenantId;

/// What a workspace has left, in microcredits: a credit is 1,000,000 of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// To try the product; used first.
    trial_remaining: Microcredits,
    /// With the plan; used next.
    included_remaining: Microcredits,
    /// Bought; used last.
    payg_remaining: Microcredits,
    /// All of it.
    total_remaining_microcredits: Microcredits,
}

impl From<Balance> for UsageView {
    fn from(balance: Balance) -> Self {
        Self {
            trial_remaining: balance.trial,
            included_remaining: balance.included,
            payg_remaining: balance.payg,
            total_remaining_microcredits: balance.total(),
        }
    }
}

/// What a workspace has left.
///
/// # Errors
/// When the database does not answer.
#[boxed]
pub async fn usage(state: &AppState, tenant: &TenantId) -> Result<UsageView> {
    balance(state, tenant).await.map(UsageView::from)
}
