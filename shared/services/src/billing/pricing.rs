//! What actions cost a workspace.

use serde::Serialize;
use utoipa::ToSchema;

use super::ledger;
use super::workspace::workspace;
use crate::state::AppState;
use billing::{Account, Action, Microcredits};
use platform::boxed;
use types::Result;
use types::ids::TenantId;

/// What actions cost a workspace.
#[derive(Debug, Serialize, ToSchema)]
pub struct PricingView {
    /// Each action that is charged for.
    actions: Vec<ActionView>,
}

/// What an action costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionView {
    /// The action.
    action: Action,
    /// What is counted.
    #[schema(example = "step")]
    unit: &'static str,
    /// What one costs; a million of them is a credit.
    microcredits: Microcredits,
}

impl From<Account> for PricingView {
    fn from(account: Account) -> Self {
        let view =
            |action: Action| ActionView { action, unit: action.unit(), microcredits: account.price(action) };
        Self { actions: Action::ALL.into_iter().map(view).collect() }
    }
}

/// What actions cost a workspace.
///
/// # Errors
/// When the database does not answer.
#[boxed]
pub async fn pricing(state: &AppState, tenant: &TenantId) -> Result<PricingView> {
    let (account, _) = state.store.account(tenant).await?;
    Ok(account.into())
}

/// Agrees on the price of an action with the workspace that an operator names; on the usual one when there is none.
///
/// # Errors
/// Invalid when the price is too high or the name cannot be one; not found when there is no such workspace.
#[boxed]
pub async fn agree(
    state: &AppState,
    slug: &str,
    action: Action,
    microcredits: Option<u64>,
) -> Result<PricingView> {
    let tenant = workspace(state, slug).await?;
    ledger::set_price(state, &tenant, action, microcredits.map(Microcredits)).await.map(PricingView::from)
}
